// The service's routes. All failures are a Problem; aborting rejects with the signal's reason.
import { store, useStored } from '../use-stored';
import { Problem, problemIn, problemOf } from './problem';
import type { Health, Plan, StoredVideo, VideoParams } from './types';

/** Empty when the service hands the page out itself; else where it is. */
export const apiBase = (process.env.NEXT_PUBLIC_API_URL ?? '').replace(/\/+$/, '');

const keyName = 'tru.key';

export const accessKey = {
  get: () => localStorage.getItem(keyName) ?? '',
  set: (key: string) => store(keyName, key || null),
  use: () => useStored(keyName) ?? '',
};

export function headers(extra: Record<string, string> = {}): Record<string, string> {
  const key = accessKey.get();
  return key ? { ...extra, Authorization: `Bearer ${key}` } : extra;
}

/** fetch() whose failures are a Problem. */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(apiBase + path, {
      ...init,
      headers: headers(init.headers as Record<string, string>),
    });
  } catch (error) {
    if (init.signal?.aborted) throw init.signal.reason;
    throw new Problem('offline', error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await call(path, init)).json()) as T;
}

export function post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const sent = { ...(init.headers as Record<string, string>), 'Content-Type': 'application/json' };
  return call(path, { ...init, method: 'POST', headers: sent, body: JSON.stringify(body) });
}

export function getHealth(signal?: AbortSignal): Promise<Health> {
  return json('/v1/health/detailed', { signal });
}

export async function planVideo(
  id: string,
  params: VideoParams,
  signal?: AbortSignal,
): Promise<Plan> {
  return (await (await post(`/v1/videos/${id}/plan`, params, { signal })).json()) as Plan;
}

export async function deleteVideo(id: string): Promise<void> {
  await call(`/v1/videos/${id}`, { method: 'DELETE' });
}

export async function cancelRequest(id: string): Promise<void> {
  await call(`/v1/requests/${id}`, { method: 'DELETE', keepalive: true });
}

export const framePath = (id: string, index: number, width: number) =>
  `/v1/videos/${id}/frames/${index}.jpg?width=${width}`;

export const contentPath = (id: string) => `/v1/videos/${id}/content`;

/** Sends a file; XMLHttpRequest, because fetch does not tell how far an upload is. */
export function uploadVideo(
  file: File,
  onProgress: (sent: number, total: number) => void,
  signal: AbortSignal,
): Promise<StoredVideo> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    request.open('POST', `${apiBase}/v1/videos`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(Math.min(event.loaded, file.size), file.size);
    request.onloadend = () => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason as Error);
      else if (request.status === 0) reject(new Problem('offline', ''));
      else if (request.status < 300) resolve(JSON.parse(request.responseText) as StoredVideo);
      else {
        const retryAfter = request.getResponseHeader('Retry-After');
        reject(problemIn(request.responseText, request.status, retryAfter));
      }
    };
    signal.addEventListener('abort', stop);
    if (signal.aborted) reject(signal.reason as Error);
    else {
      const form = new FormData();
      form.append('video', file, file.name);
      request.send(form);
    }
  });
}
