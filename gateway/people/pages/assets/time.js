// Times that run: what is left until then, in the two largest units.
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function span(seconds) {
  if (seconds <= 0) return "over";
  const told = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(seconds / size);
    if (count || told.length) told.push(count ? `${count} ${name}` : "");
    seconds -= count * size;
    if (told.length === 2) break;
  }
  return told.filter(Boolean).join(" ");
}

export function tick() {
  const began = performance.now();
  setInterval(() => {
    for (const one of document.querySelectorAll("[data-until]")) {
      const text = span(Math.floor((Date.parse(one.dataset.until) - Date.now()) / 1000));
      if (one.textContent !== text) one.textContent = text;
    }
    for (const one of document.querySelectorAll("[data-seconds]")) {
      one.dataset.began ??= performance.now();
      const left = one.dataset.seconds - (performance.now() - one.dataset.began) / 1000;
      one.textContent = Math.max(0, Math.ceil(left));
    }
  }, 500);
  return began;
}
