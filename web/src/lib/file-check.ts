// Looks at a file before it is sent, so that a wrong one costs no upload. The service decides by
// content too; this only says the same thing earlier.
import { Problem } from './api/problem';

export const maxVideoBytes = 1000 * 1024 * 1024;
export const maxDurationS = 4 * 3600;

const ascii = (bytes: Uint8Array, from: number, to: number) =>
  String.fromCharCode(...bytes.subarray(from, to));

/** The container that the first bytes of a file announce, or null. */
export function containerOf(head: Uint8Array): 'mp4' | 'matroska' | 'avi' | null {
  const boxes = ['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot'];
  if (boxes.includes(ascii(head, 4, 8))) return 'mp4';
  if (head[0] === 0x1a && head[1] === 0x45 && head[2] === 0xdf && head[3] === 0xa3) {
    return 'matroska';
  }
  if (ascii(head, 0, 4) === 'RIFF' && ascii(head, 8, 11) === 'AVI') return 'avi';
  return null;
}

/** Seconds, as the browser sees it; 0 if it cannot tell, or not soon. */
function durationOf(file: File): Promise<number> {
  return new Promise((resolve) => {
    const video = document.createElement('video');
    const url = URL.createObjectURL(file);
    const tell = () => {
      clearTimeout(timer);
      URL.revokeObjectURL(url);
      resolve(Number.isFinite(video.duration) ? video.duration : 0);
    };
    const timer = setTimeout(tell, 2000);
    video.preload = 'metadata';
    video.onloadedmetadata = tell;
    video.onerror = tell;
    video.src = url;
  });
}

/** Throws a Problem that says why `file` cannot be used. */
export async function checkFile(file: File): Promise<void> {
  if (file.size === 0) throw new Problem('client_file_empty', file.name);
  if (file.size > maxVideoBytes) throw new Problem('client_file_large', file.name);
  const head = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  if (containerOf(head) === null) throw new Problem('client_file_type', file.name);
  const seconds = await durationOf(file);
  if (seconds > maxDurationS) throw new Problem('client_file_long', file.name);
}

/** Throws a Problem unless `text` is an http or https address without a password in it. */
export function checkUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    throw new Problem('client_url', text);
  }
  const web = url.protocol === 'http:' || url.protocol === 'https:';
  if (!web || url.username || url.password) throw new Problem('client_url', text);
  return url;
}
