"use strict";
const $ = (id) => document.getElementById(id);
let now = null;      // what the server says is to be decided
let saving = false;  // one decision at a time: a key that is pressed meanwhile must not decide an image that nobody has seen

function tell(text) {
  $("status").textContent = text;
  $("status").hidden = !text;
}

function address(imageId) {
  return "picture?image_id=" + encodeURIComponent(imageId);
}

function show(state) {
  now = state;
  const image = state.image;
  $("done").textContent = state.done;
  $("total").textContent = state.total;
  $("bar").setAttribute("width", state.total ? 100 * state.done / state.total : 100);
  $("work").hidden = !image;
  $("end").hidden = !!image;
  $("undo").disabled = $("undo-last").disabled = !state.done;
  if (!image) return;
  const [width, height] = image.size_px;
  $("view").setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const name of ["halo", "box"]) {
    const [x, y, w, h] = image.box;
    const of = {x: x * width, y: y * height, width: w * width, height: h * height};
    for (const [key, value] of Object.entries(of)) $(name).setAttribute(key, value);
  }
  $("missing").hidden = true;
  $("view").removeAttribute("hidden");
  $("picture").setAttribute("href", address(image.image_id));
  $("description").textContent = image.description;
  $("spoken-for").textContent = image.label;
  $("uri").textContent = image.uri;
  $("another").value = "";
  $("classes").replaceChildren(...image.classes.map((known, at) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    for (const [tag, text, name] of [
      ["kbd", at + 1, ""], ["span", known.label, ""], ["span", (100 * known.probability).toFixed(0) + "%", "share"],
    ]) {
      const part = document.createElement(tag);
      part.textContent = text;
      part.className = name;
      button.append(part, " ");
    }
    button.addEventListener("click", () => decide(known.label));
    item.append(button);
    return item;
  }));
  if (state.next_id) new Image().src = address(state.next_id);
}

async function explain() {
  const of = now.image.image_id;
  const answer = await fetch(address(of)).catch(() => null);
  if (!now.image || now.image.image_id !== of) return;
  $("missing").textContent = "The image cannot be shown: " + (answer ? await answer.text() : "the server does not answer");
  $("missing").hidden = false;
  $("view").setAttribute("hidden", "");
}

async function ask(what, about) {
  if (saving) return;
  saving = true;
  document.body.classList.add("saving");
  try {
    const answer = await fetch(what, about && {
      method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(about),
    });
    const state = await answer.json();
    tell(state.error || "");
    show(state);
  } catch {
    tell("The server does not answer, and this was not saved. Start laketag review serve again: nothing that was saved is lost.");
  } finally {
    saving = false;
    document.body.classList.remove("saving");
  }
}

function decide(label) {
  if (now && now.image) ask("decide", {image_id: now.image.image_id, label});
}

function skip() {
  if (now && now.image) ask("skip", {image_id: now.image.image_id});
}

function toggle() {
  const hidden = $("hide").getAttribute("aria-pressed") === "false";
  $("hide").setAttribute("aria-pressed", String(hidden));
  for (const name of ["halo", "box"]) $(name).toggleAttribute("hidden", hidden);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target === $("another")) {
    if (event.key === "Escape") $("another").blur();
    return;
  }
  const known = now && now.image ? now.image.classes : [];
  const at = "12345".indexOf(event.key);
  if (at >= 0 && event.key.length === 1 && at < known.length) decide(known[at].label);
  else if (event.key === "0") decide(null);
  else if (event.key === "u") ask("undo", {});
  else if (event.key === "s") skip();
  else if (event.key === "b") toggle();
  else if (event.key === "/") $("another").focus();
  else return;
  event.preventDefault();
});
$("other").addEventListener("submit", (event) => {
  event.preventDefault();
  const names = [...$("names").options].map((option) => option.value);
  const name = names.find((one) => one.toLowerCase() === $("another").value.trim().toLowerCase());
  if (name === undefined) tell("There is no class of this name in the set.");
  else { $("another").blur(); decide(name); }
});
$("none").addEventListener("click", () => decide(null));
$("undo").addEventListener("click", () => ask("undo", {}));
$("undo-last").addEventListener("click", () => ask("undo", {}));
$("skip").addEventListener("click", skip);
$("hide").addEventListener("click", toggle);
$("picture").addEventListener("error", explain);
ask("state");
