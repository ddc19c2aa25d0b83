#!/usr/bin/env node
// node scripts/api_types.mjs URL: takes over what the service at URL declares, as
// src/lib/api/openapi.json; with --check only says whether that is what it declares.
// `npm run types` makes TypeScript of it.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const [url, check] = process.argv.slice(2);
const file = path.join(import.meta.dirname, '../src/lib/api/openapi.json');
const declared = await (await fetch(new URL('/openapi.json', url))).json();
delete declared.info.version; // of the program, not of the interface
const text = `${JSON.stringify(declared, null, 1)}\n`;
if (check !== '--check') {
  await writeFile(file, text);
} else if ((await readFile(file, 'utf8')) !== text) {
  console.error('the service declares something else: run web/scripts/api_types.mjs');
  process.exitCode = 1;
}
