// The palette: places of this page first, then what the server suggests.
{
  const dialog = document.getElementById("palette");
  const input = dialog?.querySelector("input");
  const list = dialog?.querySelector("ul");
  const places = list ? [...list.children] : [];
  let active = -1, asked = 0, timer;

  const links = () => [...list.querySelectorAll("li:not([hidden]) a")];
  function mark(index) {
    const all = links();
    for (const link of all) delete link.dataset.active;
    active = all.length ? (index + all.length) % all.length : -1;
    if (index < 0) active = -1;
    if (active >= 0) { all[active].dataset.active = ""; all[active].scrollIntoView({ block: "nearest" }); }
  }
  function entry(item) {
    const li = document.createElement("li"), a = document.createElement("a"), detail = document.createElement("span");
    a.href = item.url; a.textContent = item.title; detail.textContent = item.detail ?? "";
    a.append(detail); li.append(a); li.dataset.found = "";
    return li;
  }
  async function suggest(words) {
    const turn = ++asked;
    const url = dialog.dataset.suggest;
    if (!url || words.length < 2) return [];
    try {
      const answer = await fetch(url + "?q=" + encodeURIComponent(words), { headers: { Accept: "application/json" } });
      const found = answer.ok ? await answer.json() : [];
      return turn === asked ? found : null;
    } catch { return []; }
  }
  async function refresh() {
    const words = input.value.trim().toLowerCase();
    for (const li of places) li.hidden = !li.textContent.toLowerCase().includes(words);
    const found = await suggest(words);
    if (found === null) return;
    for (const li of list.querySelectorAll("[data-found]")) li.remove();
    for (const item of found.slice(0, 12)) if (/^\/(?!\/)/.test(item.url)) list.append(entry(item));
    mark(words && links().length && found.length ? 0 : -1);
  }
  function open() { if (!dialog.open) { dialog.showModal(); input.select(); refresh(); } }

  if (dialog) {
    on("click", "[data-palette]", (_, event) => { event.preventDefault(); open(); });
    document.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if ((event.key === "k" && (event.metaKey || event.ctrlKey)) || (event.key === "/" && !typing)) { event.preventDefault(); open(); }
    });
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(refresh, 120); });
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") mark(active + 1);
      else if (event.key === "ArrowUp") mark(Math.max(active - 1, 0));
      else if (event.key === "Enter" && active >= 0) links()[active].click();
      else return;
      event.preventDefault();
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
}
