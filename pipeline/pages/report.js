"use strict";
(() => {
  // tables: a click on a heading sorts by its column, a second one the other way round
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const isNumber = heading.dataset.kind === "number";
        const before = heading.getAttribute("aria-sort");
        const ascending = before ? before === "descending" : !isNumber;
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const body = table.tBodies[0];
        const valueOf = (row) => row.cells[column].dataset.value;
        const order = (one, other) => isNumber ? valueOf(one) - valueOf(other) : valueOf(one).localeCompare(valueOf(other));
        body.append(...[...body.rows].sort((one, other) => (ascending ? 1 : -1) * order(one, other)));
      });
    });
  }

  // the gallery: cards that do not match are hidden, the others are in the chosen order
  const form = document.getElementById("filters");
  const gallery = document.getElementById("gallery");
  const shown = document.getElementById("shown");
  const cards = [...gallery.children];
  const numberOf = (text) => (text === "" ? null : Number(text));
  const isWithin = (value, least, most) =>
    (least === null && most === null) || (value !== null && (least === null || value >= least) && (most === null || value <= most));
  const show = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    const least = numberOf(wanted.least), most = numberOf(wanted.most), margin = numberOf(wanted.margin);
    let count = 0;
    for (const card of cards) {
      const { label, failure, probability, margin: lead, text } = card.dataset;
      const percent = probability === "" ? null : 100 * probability;
      card.hidden = !(
        (!wanted.label || label === wanted.label) &&
        (!wanted.failure || (wanted.failure === "none" ? !failure : failure === wanted.failure)) &&
        isWithin(percent, least, most) && isWithin(numberOf(lead), null, margin) &&
        words.every((word) => text.includes(word))
      );
      count += !card.hidden;
    }
    const key = wanted.order.replace("-", "");
    const sign = wanted.order.startsWith("-") ? -1 : 1;
    const ordered = [...cards];
    if (["label", "failure", "name"].includes(key)) {
      const isLast = (card) => card.dataset[key] === "";
      ordered.sort((one, other) => isLast(one) - isLast(other) || one.dataset[key].localeCompare(other.dataset[key]));
    } else if (key) {
      const rank = (card) => (card.dataset[key] === "" ? Infinity : sign * card.dataset[key]);
      ordered.sort((one, other) => (rank(one) === rank(other) ? 0 : rank(one) - rank(other)));
    }
    gallery.append(...ordered);
    shown.textContent = count === cards.length ? `${count} images` : `${count} of ${cards.length} images`;
  };
  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  form.addEventListener("submit", (event) => event.preventDefault());

  // stories: pointing at a description shows the crops that are most like it
  for (const item of document.querySelectorAll(".texts li")) {
    const picture = item.closest(".story").querySelector(".crops");
    const point = (isOn) => {
      picture.classList.toggle("pointing", isOn);
      for (const crop of picture.querySelectorAll(".crop"))
        crop.classList.toggle("chosen", isOn && crop.dataset.text === item.dataset.text);
    };
    for (const [event, isOn] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]])
      item.addEventListener(event, () => point(isOn));
  }

  // a link to a class opens it, and paper has no closed parts
  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
})();
