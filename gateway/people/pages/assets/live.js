// Keeps a page in step with the gateway. Of all tabs one holds the stream and tells the others, since a
// browser opens only a few connections to one host.
const PAUSE_MS = 120;
const AGAIN_MS = 5000;
const ANSWER_MS = 10000;
const LOST = "Not connected: what you see may be old.";
const CHANGED = "This has changed: look at it again before you decide.";
const FOCUSABLE = "a[href], button:enabled, summary";
const NAMING = ["localName", "href", "name", "value"];
// Such requests do not keep a login alive: nobody need be sitting here.
const BY_ITSELF = { "toolgate-by-itself": "1" };

function page(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    for (const [name, value] of Object.entries(BY_ITSELF)) request.setRequestHeader(name, value);
    request.onload = () => (request.status === 200 ? resolve(request.responseXML) : reject(request.status));
    request.timeout = ANSWER_MS;
    request.onerror = request.ontimeout = reject;
    request.send();
  });
}

// Somebody writes there, or has written: all fields are empty at first.
function busy(region) {
  const at = document.activeElement;
  if (at && region.contains(at) && at.matches("input, textarea, select")) return true;
  return [...region.querySelectorAll("textarea, input[type=checkbox], input:not([type])")].some((one) =>
    one.type === "checkbox" ? one.checked : one.value);
}

function put(fresh) {
  document.title = fresh.title;
  const count = fresh.getElementById("count");
  if (count) document.getElementById("count")?.replaceWith(document.adoptNode(count));
  // The focus goes back to where it was before the dialog: that has to be there still.
  const dialog = document.querySelector("dialog[open]");
  dialog?.addEventListener("close", refresh, { once: true });
  for (const old of dialog ? [] : document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || old.isEqualNode(now)) continue;
    if (old.dataset.state !== undefined && old.dataset.state === now.dataset.state) continue;
    if (busy(old)) {
      say("This has changed. What you write stays; reload to see how it stands now.");
      continue;
    }
    const known = new Set([...old.querySelectorAll("li[id]")].map((one) => one.id));
    const at = document.activeElement;
    const index = [...old.querySelectorAll("a[href]")].indexOf(at);
    const focused = old.contains(at);
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    const place = document.adoptNode(now);
    old.replaceWith(place);
    place.querySelectorAll("details").forEach((one, index) => { if (open[index]) one.open = true; });
    const rows = known.size ? [...place.querySelectorAll("li[id]")] : [];
    for (const one of rows) if (!known.has(one.id)) one.classList.add("fresh");
    if (focused) refocus(place, at, index);
    if (seen(old) && seen(place) && seen(old) !== seen(place)) say(CHANGED);
  }
}

function seen(region) {
  return region.querySelector("input[name=seen]")?.value;
}

// Whoever had the focus in a region has it in what took its place: at the same thing, or the link that stands
// there now. Never on Approve: what it approves may be another thing than a moment ago.
function refocus(place, at, index) {
  const alike = [...place.querySelectorAll(FOCUSABLE)].filter((one) => one.checkVisibility()
    && !one.matches(".approve") && NAMING.every((key) => one[key] === at[key]));
  const links = [...place.querySelectorAll("a[href]")];
  const found = place.querySelector("[autofocus]") ?? alike.find((one) => one.textContent === at.textContent)
    ?? (at.href ? alike[0] ?? links[Math.min(index, links.length - 1)] : null);
  if (!found) place.tabIndex = -1;
  (found ?? place).focus({ preventScroll: true });
}

function say(text) {
  const place = document.getElementById("live");
  if (place) place.textContent = text;
}

let timer = 0;
let wanted = false;
let loggedOut = false;
function refresh() {
  wanted = true;
  timer ||= setTimeout(draw, PAUSE_MS);
}

async function draw() {
  wanted = false;
  const [fresh, status] = await page(location.href).then((found) => [found], (why) => [null, why]);
  if (fresh) {
    put(fresh);
    again();
  }
  loggedOut = status === 401 || status === 403;
  if (loggedOut && ![...document.querySelectorAll("[data-live]")].some(busy)) location.reload();
  else if (loggedOut) say("You are logged out: what you write here cannot be sent.");
  timer = 0;
  if (wanted) refresh();
}

let waitedFor = null;
function again() {
  const seconds = document.querySelector("[data-seconds]");
  if (seconds && seconds !== waitedFor) setTimeout(refresh, Number(seconds.dataset.seconds) * 1000 + 400);
  waitedFor = seconds;
}

async function recount() {
  const answer = await fetch("/api/v1/waiting", { headers: BY_ITSELF }).catch(() => null);
  if (!answer?.ok) return;
  const { waiting } = await answer.json();
  const count = document.getElementById("count");
  count.textContent = count.dataset.waiting = waiting;
  document.title = (waiting ? `(${waiting}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

// One stream, opened again whenever it ends: whoever opens it anew may have missed something.
function listen(stream, tell, opened) {
  const source = new EventSource(stream);
  const back = () => tell({ lost: false });
  source.onopen = () => { opened(); opened = back; };
  source.onerror = () => {
    opened = back;
    const refused = source.readyState === EventSource.CLOSED;
    tell({ lost: true, refused });
    if (refused) setTimeout(() => { if (!loggedOut) listen(stream, tell, back); }, AGAIN_MS);
  };
  source.addEventListener("hold", (event) => tell({ id: JSON.parse(event.data).id }));
  source.addEventListener("reload", () => tell({}));
  addEventListener("pagehide", () => source.close());
}

export function follow({ stream, hold, every }) {
  // What is drawn again is asked for by its address, not by that of the form whose answer this page is.
  if (hold && !location.pathname.endsWith(hold)) history.replaceState(null, "", `/holds/${hold}`);
  again();
  if (every) setInterval(() => { if (!document.hidden) refresh(); }, every * 1000);
  if (!stream) return;
  const hear = ({ id, lost, refused }) => {
    if (lost !== undefined) say(lost ? LOST : "");
    if (lost && !refused) return;
    // Whoever is logged out is told so by the page itself.
    if (!hold || !id || id === hold) refresh();
    else recount();
  };
  // Between the drawing of a list and the first word of the stream something may have come.
  const began = () => { if (!hold) refresh(); };
  if (!navigator.locks) {
    listen(stream, hear, began);
    return;
  }
  const name = `toolgate ${stream}`;
  const others = new BroadcastChannel(name);
  others.onmessage = (event) => hear(event.data);
  const tell = (told) => { others.postMessage(told); hear(told); };
  const lead = (opened) => new Promise(() => listen(stream, tell, opened));
  navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? lead(began) : began()))
    .then(() => navigator.locks.request(name, () => lead(() => tell({ lost: false }))));
}
