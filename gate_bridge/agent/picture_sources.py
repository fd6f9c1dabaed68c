"""Opens the simulated camera on photos or on a video."""

from gate_bridge.agent.pictures import CarPictures, PhotoSource, PictureSource


def open_pictures(pictures: CarPictures) -> PictureSource:
    """Open the camera on a car."""
    if pictures.video is None:
        return PhotoSource(pictures.photos)
    # OpenCV takes longer to load than the rest of the agent, and only videos need it.
    from gate_bridge.agent.video import VideoSource  # noqa: PLC0415

    return VideoSource(pictures.video, pictures.from_s, pictures.to_s)
