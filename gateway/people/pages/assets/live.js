// Keeps a page in step with the gateway. Of all tabs one holds the stream and tells the others, since a
// browser opens only a few connections to one host.
const CHANNEL = "toolgate-holds";
const PAUSE_MS = 120;
// Such requests do not keep a login alive: nobody need be sitting here.
const BY_ITSELF = { "toolgate-by-itself": "1" };

function page(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    for (const [name, value] of Object.entries(BY_ITSELF)) request.setRequestHeader(name, value);
    request.onload = () => (request.status === 200 ? resolve(request.responseXML) : reject(request.status));
    request.onerror = reject;
    request.send();
  });
}

function busy(region) {
  const at = document.activeElement;
  if (at && region.contains(at) && at.matches("input, textarea, select")) return true;
  return [...region.querySelectorAll("textarea, input[type=checkbox], input:not([type])")].some((one) =>
    one.type === "checkbox" ? one.checked !== one.defaultChecked : one.value !== one.defaultValue);
}

function put(fresh) {
  document.title = fresh.title;
  const count = fresh.getElementById("count");
  if (count) document.getElementById("count")?.replaceWith(document.adoptNode(count));
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || old.isEqualNode(now)) continue;
    if (old.dataset.state !== undefined && old.dataset.state === now.dataset.state) continue;
    if (busy(old)) {
      say("This has changed. What you write stays; reload to see how it stands now.");
      continue;
    }
    const known = new Set([...old.querySelectorAll("li[id]")].map((one) => one.id));
    const focus = old.contains(document.activeElement) && document.activeElement.closest("[id]")?.id;
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    const place = document.adoptNode(now);
    old.replaceWith(place);
    place.querySelectorAll("details").forEach((one, index) => { if (open[index]) one.open = true; });
    if (known.size) for (const one of place.querySelectorAll("li[id]")) if (!known.has(one.id)) one.classList.add("fresh");
    if (focus) document.getElementById(focus)?.querySelector("a, button")?.focus({ preventScroll: true });
    place.querySelector("[autofocus]")?.focus();
  }
}

function say(text) {
  const place = document.getElementById("live");
  if (place) place.textContent = text;
}

let timer = 0;
function refresh() {
  clearTimeout(timer);
  timer = setTimeout(() => page(location.href).then((fresh) => { put(fresh); again(); }).catch((status) => {
    if (status === 401 || status === 403) location.reload();
  }), PAUSE_MS);
}

let wait = 0;
function again() {
  clearTimeout(wait);
  const seconds = document.querySelector("[data-seconds]");
  if (seconds) wait = setTimeout(refresh, Number(seconds.dataset.seconds) * 1000 + 400);
}

async function recount() {
  const answer = await fetch("/api/v1/waiting", { headers: BY_ITSELF });
  if (!answer.ok) return;
  const { waiting } = await answer.json();
  const count = document.getElementById("count");
  count.textContent = count.dataset.waiting = waiting;
  document.title = (waiting ? `(${waiting}) ` : "") + document.title.replace(/^\(\d+\) /, "");
}

export function follow({ stream, hold, every }) {
  again();
  if (every) setInterval(() => { if (!document.hidden) refresh(); }, every * 1000);
  if (!stream) return;
  const heard = (id) => {
    if (!hold || !id || id === hold) refresh();
    else recount();
  };
  const open = (tell) => new Promise(() => {
    const source = new EventSource(stream);
    let first = true;
    source.onopen = () => { if (!first) tell(""); first = false; say(""); };
    source.onerror = () => say("Not connected: what you see may be old.");
    source.addEventListener("hold", (event) => tell(JSON.parse(event.data).id));
    source.addEventListener("reload", () => tell(""));
    addEventListener("pagehide", () => source.close());
  });
  if (!navigator.locks || stream !== "/api/v1/events") {
    open(heard);
    return;
  }
  const others = new BroadcastChannel(CHANNEL);
  others.onmessage = (event) => heard(event.data);
  navigator.locks.request(CHANNEL, () => open((id) => { others.postMessage(id); heard(id); }));
}
