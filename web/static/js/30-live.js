// Pages that listen: <div data-poll="/url" data-every="1500">. The answer is
// {"arrived": bool, "html": "..."}; the HTML is our own, rendered by the server.
for (const box of document.querySelectorAll("[data-poll]")) {
  const every = Math.max(Number(box.dataset.every) || 1500, 500);
  let pause = every;
  const ask = async () => {
    if (document.hidden) { setTimeout(ask, every); return; }
    try {
      const answer = await fetch(box.dataset.poll, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const news = await answer.json();
        if (news.reload) { location.reload(); return; }
        if (news.html && news.html !== box.dataset.last) { box.dataset.last = news.html; box.innerHTML = news.html; }
        if (news.arrived) return;
        pause = every;
      } else { pause = Math.min(pause * 2, 30000); }
    } catch { pause = Math.min(pause * 2, 30000); }
    setTimeout(ask, pause);
  };
  setTimeout(ask, every);
}

// Times in the person's own zone; the server's text stays when the browser cannot.
for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.valueOf())) {
    time.title = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}

// Pricing: slider and number follow each other on a logarithmic scale; the bill
// itself is always the server's.
for (const slider of document.querySelectorAll("input[type=range][data-for]")) {
  const field = document.getElementById(slider.dataset.for);
  const top = Math.log10(Number(slider.dataset.max));
  const toCalls = (step) => {
    if (step <= 0) return 0;
    const raw = 10 ** (2 + (top - 2) * step / 1000), unit = 10 ** Math.max(Math.floor(Math.log10(raw)) - 1, 0);
    return Math.round(raw / unit) * unit;
  };
  const toStep = (calls) => calls < 100 ? 0 : Math.round((Math.log10(calls) - 2) / (top - 2) * 1000);
  const digits = () => Number(field.value.replace(/[^\d]/g, ""));
  slider.value = toStep(digits());
  slider.addEventListener("input", () => { field.value = String(toCalls(Number(slider.value))); });
  slider.addEventListener("change", () => field.form.requestSubmit());
  field.addEventListener("input", () => { slider.value = toStep(digits()); });
}
