import { useEffect, useState } from 'react';
import { accessKey, apiBase, call } from './api/client';

/**
 * An address for an <img> or <video> of the service. These cannot send a key, so with one the
 * file is fetched first; without one the browser loads it in its own way (in ranges, lazily).
 */
export function useMediaUrl(path: string | null): string | null {
  const [fetched, setFetched] = useState<{ path: string; url: string } | null>(null);
  const keyed = accessKey.use() !== '';
  useEffect(() => {
    if (!keyed || path === null) return;
    const stop = new AbortController();
    let url = '';
    call(path, { signal: stop.signal })
      .then((response) => response.blob())
      .then((blob) => {
        url = URL.createObjectURL(blob);
        setFetched({ path, url });
      })
      .catch(() => undefined); // the place stays empty
    return () => {
      stop.abort();
      if (url) URL.revokeObjectURL(url);
    };
  }, [keyed, path]);
  if (path === null) return null;
  if (!keyed) return apiBase + path;
  return fetched?.path === path ? fetched.url : null;
}
