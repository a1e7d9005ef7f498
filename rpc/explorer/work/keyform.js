// The part of the page that makes, keeps, shows and forgets a key.

import { fromHex, toHex } from "../bytes.js";
import { el, show } from "../dom.js";
import { encodeAddress } from "./address.js";
import { computeAddress, findStored, forgetStored, makePhrase, MIN_PASSWORD, openStored, storePhrase } from "./key.js";

// `setAddress` is called with the 20 bytes of the key's address.
export function showKey(holder, { setAddress, stored, hrp }) {
  const draw = (kept) => (kept ? showStored(holder, kept, hrp, draw) : showOffer(holder, setAddress, draw));
  draw(stored);
}

function showOffer(holder, setAddress, draw) {
  const password = el("input", { type: "password", id: "password", autocomplete: "new-password", minlength: MIN_PASSWORD });
  const said = el("p", { class: "bad", role: "alert" });
  const make = el("button", { type: "submit", id: "make-key" }, "Make a key here");
  const form = el("form", { class: "tools", onsubmit: (event) => {
    event.preventDefault();
    if (password.value.length < MIN_PASSWORD) return void (said.textContent = `a password has at least ${MIN_PASSWORD} characters`);
    make.disabled = true;
    said.textContent = "";
    make.textContent = "making it …";
    makeKey(password.value).then(({ phrase, address }) => {
      setAddress(address);
      draw(findStored());
      showPhrase(holder, phrase);
    }).catch((error) => {
      said.textContent = error.message;
      make.disabled = false;
      make.textContent = "Make a key here";
    });
  } }, el("label", { for: "password" }, "Password"), password, make);
  show(holder, el("p", { class: "quiet" }, "No wallet yet? The page can make a key, for small sums: you trust this node for " +
    "it, which sends this page. It stays in this browser, encrypted by a password."), form, said);
}

async function makeKey(password) {
  const phrase = await makePhrase();
  const address = await computeAddress(phrase);
  await storePhrase(phrase, password, toHex(address));
  return { phrase, address };
}

function showPhrase(holder, phrase) {
  holder.append(el("div", { class: "phrase", id: "phrase" },
    el("p", {}, "Write these words down, in this order. Anybody who has them can spend the credits; without them and " +
      "without this browser the credits are lost. ", el("code", {}, "inos wallet restore"), " makes a wallet of them."),
    el("ol", { class: "words" }, ...phrase.split(" ").map((word) => el("li", { class: "mono" }, word)))));
}

function showStored(holder, kept, hrp, draw) {
  const password = el("input", { type: "password", id: "open-password", autocomplete: "current-password" });
  const said = el("p", { class: "bad", role: "alert" });
  const form = el("form", { class: "tools", onsubmit: (event) => {
    event.preventDefault();
    openStored(kept, password.value).then((phrase) => {
      document.getElementById("phrase")?.remove();
      said.textContent = password.value = "";
      showPhrase(holder, phrase);
    }, (error) => { said.textContent = error.message; });
  } }, el("label", { for: "open-password" }, "Password"), password, el("button", { type: "submit" }, "Show its words"));
  const forget = el("button", { type: "button", id: "forget-key", onclick: () => {
    if (!confirm("Forget this key? Without its words, what was paid to it is lost.")) return;
    forgetStored();
    draw(null);
  } }, "Forget it");
  form.append(forget);
  show(holder, el("p", {}, "This browser keeps a key for ",
    el("span", { class: "mono" }, encodeAddress(hrp, fromHex(kept.address))), "."), form, said);
}
