// The form of options: what counting is told, read from fields that the server made of the options' own description.

export class Options extends EventTarget {
  /** `told` are the options as they are; what the form does not show stays as it is. */
  constructor(form, told) {
    super();
    this.form = form;
    this.told = told;
    this.modes = [...form.querySelectorAll("[data-mode]")];
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.#turn());
    this.#turn();
    this.keep();
  }

  /** The part of the form that counts now: that of the chosen mode. */
  get #part() {
    return this.modes.find((part) => !part.hidden) ?? this.form;
  }

  #turn() {
    const chosen = this.form.querySelector('[name="mode"]:checked')?.value;
    for (const part of this.modes) {
      part.hidden = chosen !== undefined && part.dataset.mode !== chosen;
      part.disabled = part.hidden;
    }
    this.dispatchEvent(new Event("change"));
  }

  get mode() {
    return this.#part.dataset.mode;
  }

  get values() {
    const part = this.#part;
    const { mode } = this.told;
    const values = mode === undefined || mode === part.dataset.mode ? { ...this.told } : { mode: part.dataset.mode };
    for (const field of part.querySelectorAll("[data-type]")) values[field.dataset.name ?? field.name] = this.#value(field);
    return values;
  }

  #value(field) {
    switch (field.dataset.type) {
      case "number":
        return field.value === "" ? null : Number(field.value);
      case "boolean":
        return field.checked;
      case "list":
        return [...field.querySelectorAll("input:checked")].map((box) => box.value);
      default:
        return field.value;
    }
  }

  /** Which detections are counted: frames a second and the detector, written as tables name them. */
  get pipeline() {
    const rate = this.form.querySelector('[name="fps"]').value;
    return `Fps${String(Number(rate)).replace(".", "p")}_${this.form.querySelector('[name="model"]').value}`;
  }

  get #text() {
    return JSON.stringify([this.values, this.pipeline]);
  }

  get dirty() {
    return this.#text !== this.kept;
  }

  keep() {
    this.kept = this.#text;
  }

  /** What stands in the way of saving, for people; "" if nothing does. */
  get obstacle() {
    const wrong = [...this.form.querySelectorAll("input:enabled, select:enabled")].find((field) => !field.validity.valid);
    return wrong ? `${wrong.labels[0]?.firstChild.textContent.trim() ?? wrong.name}: ${wrong.validationMessage}` : "";
  }
}
