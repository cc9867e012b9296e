// Draws the panel of `digime_pandas.anywidget` and tells the kernel of clicks. What it shows comes as messages, which are
// no state: nothing of it is saved with a notebook.
const EARLIER = "This panel is from an earlier kernel: run the cell again.";
const SECONDS = 5;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function render({ model, el }) {
  const tell = (action, text = "") => model.send({ action, text });
  const box = element("input", { type: "text", placeholder: "Address of that tab" });
  box.setAttribute("aria-label", "Address");
  const send = () => {
    if (box.value.trim()) tell("paste", box.value);
    box.value = "";
  };
  box.addEventListener("keydown", (event) => event.key === "Enter" && send());
  const row = (...parts) => element("div", { className: "digime-row digime-controls" }, ...parts);
  const paste = row(box, element("button", { type: "button", textContent: "Use this address", onclick: send }));
  const buttons = row();
  const panel = element("div");
  const above = element("div"), below = element("div");
  panel.append(above, paste, below, buttons);
  el.replaceChildren(panel);
  paste.hidden = true;

  const draw = (shown) => {
    clearTimeout(waiting);
    panel.className = `digime-consent${shown.settled ? " digime-settled" : ""}`;
    above.innerHTML = shown.above;
    below.innerHTML = shown.below;
    paste.hidden = !shown.pastes;
    buttons.replaceChildren(
      ...shown.buttons.map(([action, title]) =>
        element("button", { type: "button", textContent: title, onclick: () => tell(action) })
      )
    );
    if (model.get("seen") !== shown.stage) {
      model.set("seen", shown.stage); // which has marimo run the cells again that use the panel
      model.save_changes();
    }
  };
  const waiting = setTimeout(() => (above.textContent = EARLIER), SECONDS * 1000);
  model.on("msg:custom", draw);
  tell("show");
  return () => {
    clearTimeout(waiting);
    model.off("msg:custom", draw);
  };
}

export default { render };
