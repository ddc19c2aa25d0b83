// Past conversations, in this browser's own database. Nothing of it is sent anywhere.
import type { Session } from './session/types';

export interface Entry {
  id: string;
  /** Milliseconds since 1970, of the last answer. */
  at: number;
  title: string;
  videos: string[];
  session: Session;
}

const store = 'conversations';
const kept = 200;

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open('tru', 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(store, { keyPath: 'id' }).createIndex('at', 'at');
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function run<T>(
  mode: IDBTransactionMode,
  work: (entries: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const db = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = db.transaction(store, mode);
      const request = work(transaction.objectStore(store));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    db.close();
  }
}

/** Newest first. */
export async function listHistory(): Promise<Entry[]> {
  const entries = await run<Entry[]>('readonly', (all) => all.getAll() as IDBRequest<Entry[]>);
  return entries.sort((a, b) => b.at - a.at);
}

/** Adds or replaces; the oldest beyond 200 go. */
export async function remember(entry: Entry): Promise<void> {
  await run('readwrite', (all) => all.put(entry));
  const surplus = (await listHistory()).slice(kept);
  for (const old of surplus) await run('readwrite', (all) => all.delete(old.id));
}

export async function forget(id: string): Promise<void> {
  await run('readwrite', (all) => all.delete(id));
}

export async function clearHistory(): Promise<void> {
  await run('readwrite', (all) => all.clear());
}
