// Small comforts. Every page works without this file.
"use strict";
const store = {
  get(name) { try { return localStorage.getItem(name); } catch { return null; } },
  set(name, value) { try { localStorage.setItem(name, value); } catch { /* storage is off */ } },
};
const on = (type, selector, act) => document.addEventListener(type, (event) => {
  const found = event.target.closest?.(selector);
  if (found) act(found, event);
});

// Copy: data-copy names an element by id (the chosen panel of it, when it has
// panels); data-copy-url names an address whose text is copied.
on("click", "[data-copy], [data-copy-url]", async (button) => {
  const source = document.getElementById(button.dataset.copy ?? "");
  const panels = source ? [...source.querySelectorAll("[data-panel]")] : [];
  const chosen = panels.find((panel) => panel.offsetParent !== null);
  const label = button.querySelector("[data-label]");
  const before = label.textContent;
  try {
    const url = button.dataset.copyUrl;
    const text = url ? await (await fetch(url)).text() : (chosen || source).textContent;
    await navigator.clipboard.writeText(text.trimEnd());
    label.textContent = "Copied";
    button.dataset.copied = "";
  } catch {
    label.textContent = "Press Ctrl+C";
    if (source) getSelection().selectAllChildren(chosen || source);
  }
  setTimeout(() => { label.textContent = before; delete button.dataset.copied; }, 1600);
});

// Theme: light or dark by button, else what the system wants.
on("click", ".theme", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  store.set("theme", root.dataset.theme);
});

// Code tabs: one choice for the whole page, remembered.
function chooseLanguage(language) {
  document.documentElement.dataset.language = language;
  for (const radio of document.querySelectorAll(".code-tabs input[type=radio]")) {
    if (radio.value === language) radio.checked = true;
  }
}
on("change", ".code-tabs input", (radio) => { store.set("language", radio.value); chooseLanguage(radio.value); });
if (store.get("language")) chooseLanguage(store.get("language"));

// Menus close when the person goes elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.dropdown[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.dropdown[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});

// A form is sent once, and filters apply as soon as they change.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  setTimeout(() => { delete form.dataset.sent; }, 8000);
});
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
on("change", "form[data-auto] select, form[data-auto] input[type=date]", (field) => field.form.requestSubmit());

// Typing the name arms the button of a confirmation.
on("input", "[data-confirm]", (input) => {
  const button = input.form.querySelector("button[type=submit], button:not([type])");
  if (button) button.disabled = input.value.trim() !== input.dataset.confirm;
});
for (const input of document.querySelectorAll("[data-confirm]")) {
  const button = input.form.querySelector("button[type=submit], button:not([type])");
  if (button) button.disabled = input.value.trim() !== input.dataset.confirm;
}
