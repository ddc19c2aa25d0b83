#include "api/docs_page.h"

namespace tru::api {

const std::string_view kDocsHtml = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>TRU API</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/docs/docs.css">
<script src="/docs/docs.js" defer></script>
</head>
<body>
<header><h1>TRU API</h1><p><a href="/">Page</a> <a href="/docs/guide">Guide</a>
<a href="/openapi.json">openapi.json</a></p>
<label>API key, if one is needed
<input id="key" type="password" autocomplete="off"></label></header>
<main id="operations"><noscript>This page needs JavaScript; openapi.json does not.</noscript></main>
</body>
</html>
)";

const std::string_view kDocsStyle = R"(:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;padding:1rem}
details{border:1px solid #8886;border-radius:.5rem;margin:.5rem 0;padding:.5rem 1rem}
summary{cursor:pointer}
summary code{font-weight:600}
.method{display:inline-block;width:4.5rem;text-transform:uppercase}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #8884;padding:.25rem .5rem;text-align:left;vertical-align:top}
textarea{width:100%;min-height:8rem;font-family:ui-monospace,monospace;box-sizing:border-box}
pre{background:#8882;padding:.5rem;overflow:auto;max-height:30rem;white-space:pre-wrap}
label{display:block;margin:.5rem 0}
button{font:inherit;padding:.25rem 1rem}
)";

const std::string_view kDocsScript = R"('use strict';
const make = (tag, text, parent) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};

let api;
const resolve = (schema) =>
  schema && schema.$ref ? schema.$ref.split('/').slice(1).reduce((at, key) => at[key], api)
                        : schema;

const typeOf = (schema) => {
  if (schema.anyOf) return schema.anyOf.map(typeOf).filter((type) => type !== 'null').join(' or ');
  if (schema.$ref) return schema.$ref.split('/').pop();
  const type = [].concat(schema.type || 'any').filter((name) => name !== 'null').join(' or ');
  return schema.items ? 'list of ' + typeOf(schema.items) : type;
};

const boundsOf = (schema) =>
  [schema.enum && schema.enum.filter((value) => value !== null).join(', '),
   schema.exclusiveMinimum !== undefined && '> ' + schema.exclusiveMinimum,
   schema.minimum !== undefined && '>= ' + schema.minimum,
   schema.maximum !== undefined && '<= ' + schema.maximum].filter(Boolean).join(' ');

function showFields(schema, prefix, table) {
  for (const [name, member] of Object.entries(schema.properties || {})) {
    const row = make('tr', '', table);
    make('code', prefix + name, make('td', '', row));
    make('td', typeOf(member), row);
    make('td', boundsOf(member), row);
    make('td', member.description || '', row);
    const inner = resolve(member.anyOf ? member.anyOf.find((choice) => choice.$ref) : member);
    if (inner && inner !== member) showFields(inner, prefix + name + '.', table);
  }
}

async function send(method, path, inputs, body, output) {
  let url = path;
  const query = new URLSearchParams();
  const headers = {};
  for (const {parameter, input} of inputs) {
    const {name} = parameter;
    if (parameter.in === 'path') url = url.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value && parameter.in === 'query') query.set(name, input.value);
    else if (input.value) headers[name] = input.value;
  }
  const key = document.getElementById('key').value;
  if (key) headers.Authorization = 'Bearer ' + key;
  const data = body();
  if (typeof data === 'string') headers['Content-Type'] = 'application/json';
  output.textContent = '...';
  try {
    const target = url + (query.size ? '?' + query : '');
    const response = await fetch(target, {method, headers, body: data});
    output.textContent = `${response.status} ${response.statusText}\n`;
    const type = response.headers.get('Content-Type') || '';
    if (!/json|text|event-stream/.test(type)) {
      output.textContent += type;
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (let part; !(part = await reader.read()).done;) {
      text += part.value;
      if (!type.includes('json')) output.textContent += part.value;
    }
    if (type.includes('json')) output.textContent += JSON.stringify(JSON.parse(text), null, 2);
  } catch (error) {
    output.textContent = String(error);
  }
}

function bodyForm(content, parent) {
  const [type, {schema}] = Object.entries(content)[0];
  const fields = resolve(schema);
  const table = make('table', '', make('div', '', parent));
  showFields(fields, '', table);
  if (type === 'application/json') {
    const example = Object.fromEntries((fields.required || []).map((name) => [name, '']));
    const area = make('textarea', JSON.stringify(example, null, 2), parent);
    area.setAttribute('aria-label', 'JSON body');
    return () => area.value;
  }
  if (type !== 'multipart/form-data') {
    const input = make('input', '', make('label', 'File ', parent));
    input.type = 'file';
    return () => input.files[0];
  }
  const inputs = Object.entries(fields.properties).map(([name, member]) => {
    const input = make('input', '', make('label', name + ' ', parent));
    input.type = member.format === 'binary' ? 'file' : 'text';
    return [name, input];
  });
  return () => {
    const form = new FormData();
    for (const [name, input] of inputs) {
      if (input.type === 'file' ? input.files.length : input.value) {
        form.append(name, input.type === 'file' ? input.files[0] : input.value);
      }
    }
    return form;
  };
}

function showOperation(method, path, operation, parent) {
  const details = make('details', '', parent);
  const summary = make('summary', '', details);
  make('span', method, summary).className = 'method';
  make('code', path, summary);
  make('span', ' ' + operation.summary, summary);
  const inputs = (operation.parameters || []).map((parameter) => {
    const label = make('label', `${parameter.name} (${parameter.in}) `, details);
    return {parameter, input: make('input', '', label)};
  });
  const content = operation.requestBody && operation.requestBody.content;
  const body = content ? bodyForm(content, details) : () => undefined;
  const button = make('button', 'Send', details);
  const output = make('pre', '', details);
  output.setAttribute('role', 'status');
  button.addEventListener('click', () => send(method.toUpperCase(), path, inputs, body, output));
  const table = make('table', '', details);
  for (const [status, answer] of Object.entries(operation.responses)) {
    const row = make('tr', '', table);
    make('th', status, row);
    make('td', resolve(answer).description, row);
  }
}

fetch('/openapi.json').then((response) => response.json()).then((document_) => {
  api = document_;
  const parent = document.getElementById('operations');
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      showOperation(method, path, operation, parent);
    }
  }
});
)";

}  // namespace tru::api
