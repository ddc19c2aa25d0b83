'use client';

import { useEffect, useId, useRef, type ReactNode } from 'react';
import { ui } from '@/lib/strings/ui';
import { IconButton } from './button';

interface Props {
  title: string;
  open: boolean;
  onClose: () => void;
  children: ReactNode;
  testId?: string;
}

/**
 * A panel at the side of the page. The browser's own dialog keeps focus inside, closes on
 * Escape and needs no style element, which the page's security policy would refuse.
 */
export function Sheet({ title, open, onClose, children, testId }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    if (open && !element?.open) element?.showModal();
    if (!open && element?.open) element.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      data-testid={testId}
      onClose={onClose}
      onPointerDown={(event) => event.target === dialog.current && onClose()}
      className={`fixed inset-y-0 right-0 left-auto m-0 h-dvh max-h-none w-full max-w-md border-l
        border-line bg-card text-ink shadow-2xl backdrop:bg-black/40`}
    >
      {open && (
        <div className="flex h-full flex-col">
          <div className="flex items-center justify-between border-b border-line px-5 py-3">
            <h2 id={heading} className="font-semibold">
              {title}
            </h2>
            <IconButton icon="close" label={ui.close} onClick={onClose} />
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto p-5">{children}</div>
        </div>
      )}
    </dialog>
  );
}
