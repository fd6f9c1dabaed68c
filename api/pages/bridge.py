"""Paying inside a provider's app: the page hands its order over to the app that shows it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Final

# WeChat puts `WeixinJSBridge` into the pages that it shows. What it answers proves nothing: the
# page looks again, and the provider's notice decides.
SCRIPT: Final = """
(function () {
  var button = document.getElementById("hand-over"), waiting;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(function () { location.reload(); }, 5000);
  }
  function mark(fragment) { history.replaceState(null, "", location.pathname + fragment); }
  function pay() {
    clearTimeout(waiting);
    button.disabled = true;
    WeixinJSBridge.invoke("getBrandWCPayRequest", JSON.parse(button.dataset.order), done);
  }
  function done(answer) {
    if (answer.err_msg === "get_brand_wcpay_request:ok") {
      mark("#paid");
      location.reload();
      return;
    }
    button.disabled = false;
    later();
  }
  function start() {
    button.addEventListener("click", pay);
    button.hidden = location.hash === "#paid";
    if (location.hash !== "#pay") { later(); return; }
    mark("");
    pay();
  }
  later();
  if (window.WeixinJSBridge) { start(); }
  else { document.addEventListener("WeixinJSBridgeReady", start); }
})();
"""
START_FRAGMENT: Final = "pay"
_BRIDGES: Final = {"wechat": SCRIPT}
_HASH: Final = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
# On some phones the bridge speaks to WeChat by frames of its own schemes, which nothing but
# WeChat answers.
BRIDGE_POLICY: Final = f"script-src 'sha256-{_HASH}'; frame-src weixin: weixinping:"


def has_bridge(provider: str | None) -> bool:
    """Return whether this page can hand an order over to the provider's app."""
    return provider in _BRIDGES


def render_bridge(provider: str, handover: Mapping[str, str], words: str) -> str:
    """Return the button that hands an order over, hidden until the app is there, and its script.

    Args:
        provider: Whose app shows the page.
        handover: As the provider's `Checkout` had it.
        words: What the button says, escaped.
    """
    order = escape(json.dumps(dict(handover)))
    return (
        f'<button id="hand-over" data-order="{order}" hidden>{words}</button>'
        f"<script>{_BRIDGES[provider]}</script>"
    )
