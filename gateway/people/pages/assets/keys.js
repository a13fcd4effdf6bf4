// One key each; none of them decides anything. Off in fields, and for whoever does not want them.
const OFF = "toolgate-keys-off";
const KEYS = [
  ["j", "next call", () => step(1)],
  ["k", "call before", () => step(-1)],
  ["d", "go to the reason for a no", () => to("textarea[name=reason]")],
  ["a", "go to what an approval needs", () => to("input[name=noticed], input[name=typed], button.approve")],
  ["e", "edit the arguments", () => document.querySelector(".more a")?.click()],
  ["u", "undo", () => to(".undo button")],
  ["q", "the queue", () => document.querySelector(".brand").click()],
  ["?", "these keys", () => help().showModal()],
];

function to(selector) {
  const found = document.querySelector(selector);
  found?.focus();
  found?.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = [...document.querySelectorAll(".queue li > a")];
  const at = all.indexOf(document.activeElement);
  all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
}

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

let dialog;
function help() {
  if (dialog) return dialog;
  const rows = KEYS.map(([key, what]) => element("p", "", element("kbd", key), ` ${what}`));
  const box = element("input");
  box.type = "checkbox";
  box.checked = localStorage.getItem(OFF) !== "1";
  box.onchange = () => localStorage.setItem(OFF, box.checked ? "0" : "1");
  const close = element("button", "Close");
  close.onclick = () => dialog.close();
  dialog = element("dialog", "", element("h2", "Keyboard"), ...rows,
    element("p", "", element("kbd", "Space"), " presses the button that has the focus; Enter never approves"),
    element("p", "", element("label", "", box, " single keys are on")), close);
  dialog.setAttribute("aria-label", "Keyboard");
  document.body.append(dialog);
  return dialog;
}

export function listen() {
  const button = document.getElementById("keys");
  if (button) {
    button.hidden = false;
    button.onclick = () => help().showModal();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    if (document.querySelector("dialog[open]") || (localStorage.getItem(OFF) === "1" && event.key !== "?")) return;
    const row = KEYS.find(([key]) => key === event.key);
    if (!row) return;
    event.preventDefault();
    row[2]();
  });
}
