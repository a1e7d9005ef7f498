// The page: who is paid, one button, and what was drawn and earned.

import { call } from "../api.js";
import { fromHex } from "../bytes.js";
import { count, roughCredits, show } from "../dom.js";
import { flipTheme, startTheme } from "../theme.js";
import { decodeAddress, encodeAddress } from "./address.js";
import { findCard } from "./card.js";
import { recall, remember } from "./choices.js";
import { Connection } from "./connection.js";
import { Crew, loadModule } from "./crew.js";
import { findStored } from "./key.js";
import { showKey } from "./keyform.js";
import { chooseRoom, Pieces } from "./pieces.js";
import { describeWork, findPool, showIncomes } from "./pool.js";
import { Power } from "./power.js";
import { dropSockets } from "./socket.js";

const SHOW_MS = 500, SPEED_MS = 5000, INCOMES_MS = 10_000;
const BACKGROUND_PACE = 0.5;
const ADDRESS = "work-address", THREADS = "work-threads";
const $ = (id) => document.getElementById(id);

let hrp = "", module = null, card = null, source = null;
let crew = null, connection = null, pieces = null, counted = 0n, pieceCount = 0;
let template = null, welcome = null, pool = null;
const identity = crypto.getRandomValues(new Uint8Array(16));
const power = new Power(onPower);

function setState(text, isBad = false) {
  $("state").textContent = text;
  $("state").className = isBad ? "bad" : "quiet";
}

function readAddress() {
  const field = $("address");
  try {
    const bytes = decodeAddress(hrp, field.value);
    $("address-error").textContent = "";
    return bytes;
  } catch (error) {
    $("address-error").textContent = field.value.trim() ? error.message : "";
    return null;
  }
}

function onAddress() {
  const bytes = readAddress();
  if (bytes) remember(ADDRESS, $("address").value.trim());
  $("start").disabled = crew === null && (!bytes || module === null);
}

// Called with an address that the page made or found in its own key.
function setAddress(bytes) {
  $("address").value = encodeAddress(hrp, bytes);
  onAddress();
}

function start() {
  const address = readAddress();
  if (!address || module === null) return;
  crew = new Crew({ module, source, onReport: (report) => connection.add(report), onFailed, onCardFailed });
  crew.setPace(document.hidden ? BACKGROUND_PACE : 1);
  crew.resize(Number($("threads").value), $("use-card").checked);
  pieces = new Pieces({ module, crew, room: $("take-pieces").checked ? chooseRoom() : 0, onChange: onPiece });
  connection = new Connection({ identity, address, listener, pieces, threads: Number($("threads").value),
    backend: card && $("use-card").checked ? "wasm+webgpu" : "wasm" });
  $("start").textContent = "Stop";
  $("address").disabled = true;
}

function stop(text = "stopped") {
  crew?.end();
  pieces?.end();
  connection?.close();
  crew = connection = pieces = template = null;
  $("start").textContent = "Start";
  $("address").disabled = false;
  onAddress();
  setState(text);
  showNumbers();
}

const listener = {
  onState: setState,
  onWelcome(message) {
    welcome = message;
    showFacts();
  },
  onTemplate(message) {
    template = message;
    crew?.setTemplate(message);
    showFacts();
  },
  onAssignment(message) {
    crew?.setAssignment(message);
    setState("working");
  },
  onTotals(totals, now) {
    counted += BigInt(now);
    $("shares").textContent = count(counted);
    show($("unpaid"), roughCredits(totals.unpaid));
    show($("paid"), roughCredits(totals.paid));
  },
  onCancelled() {
    crew?.setAssignment(null);
    setState("waiting: the node has no work now");
  },
  onClosed() {
    pieces?.drop();
    crew?.pause();
  },
  onEnded(text) {
    stop();
    setState(text, true);
  },
};

function onFailed(message) {
  stop();
  setState(`it cannot go on: ${message}`, true);
}

// Called when a piece began or ended.
function onPiece(isDone) {
  if (isDone) $("pieces").textContent = count(++pieceCount);
  showFacts();
}

// The threads go on without the card.
function onCardFailed(message) {
  $("use-card").checked = false;
  $("use-card").disabled = true;
  $("card").textContent = `it gave up: ${message}`;
  onThreads();
}

function onThreads() {
  $("threads-shown").textContent = $("threads").value;
  remember(THREADS, $("threads").value);
  if (!crew) return;
  if (crew.isExhausted) return onFailed("the slider was moved too often; start again");
  crew.resize(Number($("threads").value), $("use-card").checked);
}

// A page in the background leaves half of the time to others.
function onVisibility() {
  crew?.setPace(document.hidden ? BACKGROUND_PACE : 1);
}

let isWaiting = false;
function onPower() {
  const mayRun = power.isPlugged || $("on-battery").checked;
  if (crew && !mayRun) {
    stop(power.why);
    isWaiting = true;
    $("start").textContent = "Stop"; // it begins again by itself when the machine is plugged in
  } else if (!crew && mayRun && isWaiting) {
    isWaiting = false;
    $("start").textContent = "Start"; // if the address is not valid any more
    start();
  }
}

function onButton() {
  if (crew || isWaiting) {
    isWaiting = false;
    return stop();
  }
  if (power.isPlugged || $("on-battery").checked) return start();
  setState(`${power.why}: tick “Also on battery” to work all the same`, true);
}

function onLeave() {
  stop();
  dropSockets();
}

function showNumbers() {
  $("rate").textContent = count(Math.round(crew?.getRate() ?? 0));
  if (crew) $("drawn").textContent = count(crew.drawn);
}

function showFacts() {
  if (welcome) show($("facts"), describeWork({ hrp, welcome, template, pool, piece: pieces?.now }));
}

async function showDivision() {
  const address = $("address").value.trim();
  if (!pool || !readAddress()) return;
  await showIncomes($("incomes"), address);
  $("division").hidden = false;
}

async function showCard() {
  card = await findCard().catch(() => null);
  if (card) source = await (await fetch("kernel.wgsl")).text();
  const why = isSecureContext ? "this browser offers none that multiplies bytes" : "needs HTTPS or this very machine";
  $("card").textContent = card ? card.name : why;
  $("use-card").disabled = !card;
}

async function load() {
  startTheme();
  const { network, hrp: prefix } = await call("node_version");
  hrp = prefix;
  $("network").textContent = network;
  $("address").placeholder = `${hrp}1…`;
  $("address").value = recall(ADDRESS) ?? "";
  if (isSecureContext) {
    const stored = findStored();
    showKey($("key"), { setAddress, stored, hrp });
    // An address that was typed later stays the one that is paid.
    if (stored && !$("address").value) setAddress(fromHex(stored.address));
  } else {
    $("insecure").hidden = false;
    $("insecure").textContent = "This page came over plain HTTP from another machine. So it can make no key and use no " +
      "graphics card; it works for an address that you type.";
  }
  const most = navigator.hardwareConcurrency || 1;
  $("threads").max = most;
  $("threads").value = Math.min(Number(recall(THREADS)) || Math.max(1, Math.floor(most / 2)), most);
  onThreads();
  module = await loadModule();
  setState("ready");
  onAddress();
  await showCard();
  pool = await findPool();
  await showDivision();
}

$("theme").addEventListener("click", flipTheme);
$("payee").addEventListener("submit", (event) => event.preventDefault());
$("address").addEventListener("input", onAddress);
$("threads").addEventListener("input", onThreads);
$("use-card").addEventListener("change", onThreads);
$("on-battery").addEventListener("change", onPower);
$("start").addEventListener("click", onButton);
document.addEventListener("visibilitychange", onVisibility);
addEventListener("pagehide", onLeave);
setInterval(showNumbers, SHOW_MS);
setInterval(() => { if (crew) showDivision().catch(() => {}); }, INCOMES_MS);
setInterval(() => {
  if (!connection || !crew) return;
  connection.speed = Math.round(crew.getRate());
  connection.pieceSpeed = Math.round(crew.getRate(false));
}, SPEED_MS);
load().catch((error) => setState(`the page could not be prepared: ${error.message}`, true));
