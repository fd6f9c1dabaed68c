"""The script of the sign-in pages: it asks the browser for a passkey, or to make one."""

from typing import Final

SCRIPT: Final = """\
"use strict";
(function () {
  var told = document.getElementById("told");
  var signIn = document.getElementById("passkey");
  var register = document.getElementById("register");

  async function send(path, body) {
    var answer = await fetch(path, {
      method: "POST",
      headers: {"content-type": "application/json"},
      body: JSON.stringify(body)
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  async function press(button, act) {
    button.disabled = true;
    told.textContent = "";
    try {
      location.assign(await act());
    } catch (problem) {
      told.textContent = "That did not work. Please try again.";
      button.disabled = false;
    }
  }

  async function useKey() {
    var options = await send("/staff/sign-in/passkey/options", {});
    var found = await navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)
    });
    await send("/staff/sign-in/passkey", {credential: found.toJSON()});
    return signIn.dataset.returnTo;
  }

  async function makeKey() {
    var options = await send("/staff/sign-in/invitation/options", {
      token: location.hash.slice(1)
    });
    var made = await navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)
    });
    await send("/staff/sign-in/invitation", {credential: made.toJSON(), name: navigator.platform});
    return "/staff/signed-in";
  }

  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) {
    told.textContent = "This browser knows no passkeys.";
    return;
  }
  [[signIn, useKey], [register, makeKey]].forEach(function (pair) {
    if (!pair[0]) return;
    pair[0].hidden = false;
    pair[0].addEventListener("click", function () { press(pair[0], pair[1]); });
  });
})();
"""
