import { useEffect, useRef, useState } from 'react';

interface Handlers {
  onFiles: (files: File[]) => void;
  onLink: (text: string) => void;
}

/** Takes what is dropped on the page or pasted into it; true while something is dragged over it. */
export function useIncoming(handlers: Handlers): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });
  useEffect(() => {
    let depth = 0; // enter and leave come for every element on the way
    const carries = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const listeners = {
      dragenter: (event: DragEvent) => {
        if (!carries(event)) return;
        depth += 1;
        setOver(true);
      },
      dragleave: (event: DragEvent) => {
        if (!carries(event)) return;
        depth -= 1;
        if (depth <= 0) setOver(false);
      },
      dragover: (event: DragEvent) => carries(event) && event.preventDefault(),
      drop: (event: DragEvent) => {
        depth = 0;
        setOver(false);
        if (!carries(event)) return;
        event.preventDefault();
        latest.current.onFiles([...(event.dataTransfer?.files ?? [])]);
      },
      paste: (event: ClipboardEvent) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (files.length > 0) {
          event.preventDefault();
          latest.current.onFiles(files);
          return;
        }
        const field = event.target instanceof Element && event.target.closest('input, textarea');
        const text = event.clipboardData?.getData('text').trim() ?? '';
        if (!field && /^https?:\/\/\S+$/.test(text)) latest.current.onLink(text);
      },
    };
    for (const [name, listener] of Object.entries(listeners)) {
      window.addEventListener(name, listener as EventListener);
    }
    return () => {
      for (const [name, listener] of Object.entries(listeners)) {
        window.removeEventListener(name, listener as EventListener);
      }
    };
  }, []);
  return over;
}
