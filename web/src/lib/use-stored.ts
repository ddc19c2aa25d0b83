import { useCallback, useSyncExternalStore } from 'react';

const changed = new EventTarget();

/** Keeps `value` in this browser, or forgets it (null), and tells everyone who shows it. */
export function store(name: string, value: string | null): void {
  if (value === null) localStorage.removeItem(name);
  else localStorage.setItem(name, value);
  changed.dispatchEvent(new Event(name));
}

/** What is kept under `name`; `before` until the page's script runs. Other tabs' changes count. */
export function useStored(name: string, before: string | null = null): string | null {
  const subscribe = useCallback(
    (onChange: () => void) => {
      changed.addEventListener(name, onChange);
      window.addEventListener('storage', onChange);
      return () => {
        changed.removeEventListener(name, onChange);
        window.removeEventListener('storage', onChange);
      };
    },
    [name],
  );
  return useSyncExternalStore(
    subscribe,
    () => localStorage.getItem(name),
    () => before,
  );
}
