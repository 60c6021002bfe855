// One key a step. A label is on the server's disk before the next step shows.
(() => {
  "use strict";
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const main = one("#main");
  const address = `/label/${main.dataset.session}`;
  const LABELS = { c: ["correct", null], n: ["neutral", null], x: ["incorrect", null], r: ["incorrect", "reading"], a: ["incorrect", "arithmetic"], l: ["incorrect", "logic"], k: ["incorrect", "knowledge"], o: ["incorrect", "other"] };
  let busy = false, ahead = null, noted = Promise.resolve();

  const post = async (where, body) => {
    const answer = await fetch(where, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) { const told = await answer.json().catch(() => ({})); throw new Error(told.error || told.detail || `the server said ${answer.status}`); }
    return answer;
  };
  const tell = (place, text, failed = false) => { place.textContent = text; place.classList.toggle("failed", failed); };
  const say = (text, failed) => tell(one("#saved"), text, failed);

  const start = one("#start");
  if (start) start.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await post("/start", { name: one("#name").value });
      location.href = `/label/${(await answer.json()).session}`;
    } catch (error) { one("#refusal").textContent = error.message; }
  });

  const task = () => one("[data-task].labelling");
  const steps = () => all(".step", task());
  const here = () => one(".step.current");
  const waiting = () => steps().find((step) => step.classList.contains("asked") && !step.classList.contains("done"));

  // Shows the steps up to `step` and makes it the one that keys label.
  const go = (step) => {
    const list = steps(), at = list.indexOf(step);
    list.forEach((item, place) => { if (place <= at) item.hidden = false; item.classList.toggle("current", item === step); });
    step.focus({ preventScroll: true });
    step.scrollIntoView({ block: "nearest" });
  };
  const begin = () => {
    if (!task()) return;
    const list = steps(), done = list.map((step) => step.classList.contains("done")).lastIndexOf(true);
    list.forEach((step, place) => { step.hidden = place > done; });
    go(waiting() || list[0]);
    look();
  };
  // What comes next is fetched while this one is being read.
  const look = () => { const id = task().dataset.task; ahead = fetch(`${address}/task?after=${encodeURIComponent(id)}`).then((answer) => answer.text()).catch(() => null); };
  const show = (text) => { one("#task").innerHTML = text; begin(); };
  const load = async (query) => show(await (await fetch(`${address}/task?${query}`)).text());

  const keep = async (step, name, category) => {
    const input = one("input[name=note]", step), note = input.value;
    const id = step.closest("[data-task]").dataset.task;
    await post(address, { task: id, step: Number(step.dataset.step), label: name, category, note });
    step.classList.remove("correct", "incorrect", "neutral");
    step.classList.add("done", name);
    Object.assign(step.dataset, { label: name, category: category || "" });
    one(".own", step).textContent = name + (category ? `: ${category}` : "") + (note ? ` · ${note}` : "");
    if (input.value !== note) await keep(step, name, category);
    say("kept");
  };
  const lost = (error) => say(`NOT kept: ${error.message}`, true);
  const label = async (key) => {
    const step = here();
    if (busy || !step || !step.classList.contains("asked")) return;
    busy = true;
    const id = task().dataset.task;
    try {
      await noted;
      await keep(step, ...LABELS[key]);
      const next = waiting();
      if (next) go(next);
      else {
        const text = ahead && await ahead;
        // Fetched before this solution was done: right unless it was the last, or its own again.
        const other = text && new DOMParser().parseFromString(text, "text/html").querySelector("[data-task]");
        if (other && other.dataset.task !== id) { show(text); count(); } else await load(`after=${encodeURIComponent(id)}`);
      }
    } catch (error) { lost(error); } finally { busy = false; }
  };
  const count = () => { const told = one(".steps-nav span"); if (told) told.textContent = told.textContent.replace(/([\d,]+) of/, (_, number) => `${Number(number.replaceAll(",", "")) + 1} of`); };
  const undo = async () => {
    if (busy) return;
    busy = true;
    try {
      await noted;
      const back = await (await post(`${address}/undo`, {})).json();
      await load(`task=${encodeURIComponent(back.task)}`);
      const step = steps()[back.step];
      if (step) go(step);
      say("taken back");
    } catch (error) { say(error.message, true); } finally { busy = false; }
  };
  const shown = () => steps().filter((step) => !step.hidden);
  const reveal = async () => { const place = one("#hidden"); if (place) place.innerHTML = await (await post(`${address}/look`, { task: task().dataset.task, steps: shown().length })).text(); };
  const beside = (by) => { const list = shown(), next = list[list.indexOf(here()) + by]; if (next) go(next); };

  const actions = {
    u: undo, h: reveal, ArrowUp: () => beside(-1), ArrowDown: () => beside(1), m: () => { const note = here() && one("input[name=note]", here()); if (note) note.focus(); },
    z: () => { const picture = one("[data-zoom]"); if (picture) picture.classList.toggle("zoomed"); }, "?": () => one("#keys").showModal(),
  };
  for (const key of Object.keys(LABELS)) actions[key] = () => label(key);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || one("dialog[open]") || !main.dataset.session) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) { if (event.key === "Enter" || event.key === "Escape") { event.preventDefault(); if (here()) here().focus(); } return; }
    if (event.key === "Escape") all(".zoomed").forEach((picture) => picture.classList.remove("zoomed"));
    if (actions[event.key] && task()) { event.preventDefault(); actions[event.key](); }
  });
  document.addEventListener("click", async (event) => {
    const target = event.target.closest("[data-do],[data-zoom],[data-close],[data-settle]");
    if (!target) { const step = event.target.closest(".step"); if (step && task()) go(step); return; }
    if ("close" in target.dataset) target.closest("dialog").close();
    else if ("zoom" in target.dataset) target.classList.toggle("zoomed");
    else if ("do" in target.dataset) { const step = target.closest(".step"); if (step) go(step); actions[target.dataset.do](); }
    else {
      const dispute = target.closest(".dispute");
      try {
        await post(address, { task: dispute.dataset.task, step: Number(dispute.dataset.step), label: target.dataset.settle, settles: true });
        tell(one(".own", dispute), `settled: ${target.dataset.settle}. Another button changes it; Undo under Label takes it back.`);
      } catch (error) { tell(one(".own", dispute), `NOT kept: ${error.message}`, true); }
    }
  });
  // A note that is written after its step's label is kept with it.
  document.addEventListener("change", (event) => {
    const step = event.target.closest(".step.done");
    if (step) noted = noted.then(() => keep(step, step.dataset.label, step.dataset.category || null)).catch(lost);
  });
  if (one("#task")) begin();
})();
