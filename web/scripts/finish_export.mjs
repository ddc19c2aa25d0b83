#!/usr/bin/env node
// Finishes a static export: puts a sample clip beside it, writes csp.txt, the security policy that
// fits its inline scripts, and a .br and a .gz beside everything that compresses.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const folder = process.argv[2] ?? 'out';
const sample = path.join(import.meta.dirname, '../../models/demo/samples/passing.mp4');
const texts = /\.(html|js|css|svg|json|txt|xml|map)$/;

async function* filesIn(directory) {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) yield* filesIn(file);
    else yield file;
  }
}

/** The hashes of what `element` holds inline, and the offences that no hash can allow. */
function inline(html, element) {
  const found = html.matchAll(
    new RegExp(`<${element}((?:\\s[^>]*)?)>([\\s\\S]*?)</${element}>`, 'g'),
  );
  return [...found]
    .filter(([, attributes, body]) => !/\ssrc=/.test(attributes) && body !== '')
    .map(([, , body]) => `'sha256-${createHash('sha256').update(body).digest('base64')}'`);
}

function policy(scripts, styles) {
  const api = (process.env.NEXT_PUBLIC_API_URL ?? '').replace(/\/+$/, '');
  const self = api ? `'self' ${new URL(api).origin}` : "'self'";
  return [
    "default-src 'none'",
    `script-src 'self' ${[...scripts].sort().join(' ')}`.trim(),
    `style-src 'self' ${[...styles].sort().join(' ')}`.trim(),
    `img-src ${self} blob: data:`,
    `media-src ${self} blob:`,
    `connect-src ${self}`,
    `form-action ${self}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

await mkdir(path.join(folder, 'samples'), { recursive: true });
await copyFile(sample, path.join(folder, 'samples', path.basename(sample)));

const scripts = new Set();
const styles = new Set();
const files = [];
for await (const file of filesIn(folder)) {
  if (/\.(br|gz)$/.test(file) || path.basename(file) === 'csp.txt') continue;
  files.push(file);
  if (!file.endsWith('.html')) continue;
  const html = await readFile(file, 'utf8');
  if (/<[a-z][^<>]*\sstyle=/i.test(html.replace(/<script[\s\S]*?<\/script>/g, ''))) {
    throw new Error(`${file} has a style attribute, which the policy refuses`);
  }
  inline(html, 'script').forEach((hash) => scripts.add(hash));
  inline(html, 'style').forEach((hash) => styles.add(hash));
}
await writeFile(path.join(folder, 'csp.txt'), `${policy(scripts, styles)}\n`);

const [br, gz] = [promisify(brotliCompress), promisify(gzip)];
for (const file of files.filter((name) => texts.test(name))) {
  const bytes = await readFile(file);
  if (bytes.length < 512) continue;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  await writeFile(`${file}.br`, await br(bytes, quality));
  await writeFile(`${file}.gz`, await gz(bytes, { level: 9 }));
}
