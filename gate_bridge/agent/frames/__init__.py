"""Pictures from cameras that only show them: RTSP, and MJPEG over HTTP."""
