
"use strict";
const at = (id) => document.getElementById(id);
const INTROSPECTION = `{ __schema { types { name kind description
  fields { name description type { ...T } args { name type { ...T } } }
  inputFields { name description type { ...T } } enumValues { name description } possibleTypes { name } } } }
  fragment T on __Type { name kind ofType { name kind ofType { name kind ofType { name } } } }`;

async function ask(query, variables) {
  const response = await fetch(location.pathname, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer " + at("key").value.trim() },
    body: JSON.stringify({ query, variables }),
  });
  const size = response.headers.get("muniment-ledger-size");
  at("status").textContent = response.status + (size ? ", ledger size " + size : "");
  return response.json();
}

async function askAndShow() {
  at("answer").textContent = "…";
  try {
    const variables = at("variables").value.trim() ? JSON.parse(at("variables").value) : {};
    at("answer").textContent = JSON.stringify(await ask(at("query").value, variables), null, 2);
  } catch (error) {
    at("answer").textContent = String(error);
  }
}

function written(type) {
  if (type.kind === "NON_NULL") return written(type.ofType) + "!";
  if (type.kind === "LIST") return "[" + written(type.ofType) + "]";
  return type.name;
}

function element(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function described(type) {
  const list = element("dl");
  for (const field of type.fields || type.inputFields || type.enumValues || type.possibleTypes || []) {
    const args = (field.args || []).map((each) => each.name + ": " + written(each.type)).join(", ");
    const line = field.name + (args ? "(" + args + ")" : "") + (field.type ? ": " + written(field.type) : "");
    list.append(element("dt", "", element("code", line)), element("dd", field.description || ""));
  }
  const box = element("details", "", element("summary", type.kind.toLowerCase() + " " + type.name));
  box.append(element("p", type.description || ""), list);
  return box;
}

async function readSchema() {
  document.querySelector("aside").hidden = false;
  const answer = await ask(INTROSPECTION, {});
  if (!answer.data) {
    at("types").textContent = JSON.stringify(answer.errors, null, 2);
    return;
  }
  const types = answer.data.__schema.types.filter((each) => !each.name.startsWith("__"));
  at("types").replaceChildren(...types.map(described));
}

function narrow() {
  const wanted = at("find").value.toLowerCase();
  for (const box of at("types").children) box.hidden = !box.textContent.toLowerCase().includes(wanted);
}

at("ask").addEventListener("click", askAndShow);
at("read").addEventListener("click", readSchema);
at("find").addEventListener("input", narrow);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) askAndShow();
});
