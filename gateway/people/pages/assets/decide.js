// A named reason fills in what the agent is told; Enter on a button never approves.
export function prefill() {
  document.addEventListener("change", (event) => {
    if (event.target.name !== "named") return;
    const told = event.target.form.elements.reason;
    if (!told.value || told.dataset.filled === told.value) {
      told.value = event.target.selectedOptions[0].dataset.told ?? "";
      told.dataset.filled = told.value;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("button.approve[name=verdict]")) return;
    event.preventDefault();
    document.getElementById("live").textContent = "Enter never approves: press the space bar.";
  });
  // One decision for one press.
  document.addEventListener("submit", (event) => {
    if (event.submitter?.formMethod === "dialog") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
