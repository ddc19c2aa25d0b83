'use client';

import { useSyncExternalStore, type ReactNode } from 'react';
import { Button, IconButton } from '@/components/button';
import { Icon } from '@/components/icon';
import type { Health } from '@/lib/api/types';
import { ui } from '@/lib/strings/ui';
import { store, useStored } from '@/lib/use-stored';
import type { ServerState } from './use-health';

interface Props {
  health: Health | undefined;
  state: ServerState;
  /** Null where a sample would be in the way. */
  onSample: (() => void) | null;
}

const hiddenName = 'tru.demo-note';

export function Banners({ health, state, onSample }: Props) {
  const hidden = useStored(hiddenName, '1') !== null;
  const offline = useOffline();
  if (state === 'down') {
    return <Banner className="sticky bottom-0">{offline ? ui.offline : ui.down}</Banner>;
  }
  if (!health?.model.demo || hidden) return null;
  return (
    <Banner className={onSample ? corner : ''} onHide={() => store(hiddenName, '1')}>
      <p data-testid="demo-note">
        <strong className="block font-semibold">{ui.demo.title}</strong>
        {ui.demo.text} <code className="font-mono font-semibold">{ui.demo.command}</code>
      </p>
      {onSample && (
        <Button className="mt-2.5" icon="film" data-testid="sample" onClick={onSample}>
          {ui.demo.sample}
        </Button>
      )}
    </Banner>
  );
}

/** On a wide start page a card in the corner; else it stands at the end of the page. */
const corner = `xl:fixed xl:right-4 xl:bottom-4 xl:w-72 xl:rounded-xl xl:border xl:border-line
  xl:py-3 xl:shadow-lg`;

interface BannerProps {
  className: string;
  children: ReactNode;
  onHide?: () => void;
}

/** It moves nothing when it comes. */
function Banner({ className, children, onHide }: BannerProps) {
  return (
    <div
      role="status"
      className={`z-10 flex items-start gap-3 border-t border-line bg-note-wash px-4 py-2.5 text-sm
        text-note ${className}`}
    >
      <Icon name="warn" className="mt-px size-4.5" />
      <div className="min-w-0 flex-1">{children}</div>
      {onHide && (
        <IconButton
          icon="close"
          label={ui.demo.hide}
          className="-my-2 -mr-2 text-note hover:bg-transparent hover:text-ink"
          onClick={onHide}
        />
      )}
    </div>
  );
}

function onNetwork(onChange: () => void) {
  window.addEventListener('online', onChange);
  window.addEventListener('offline', onChange);
  return () => {
    window.removeEventListener('online', onChange);
    window.removeEventListener('offline', onChange);
  };
}

function useOffline(): boolean {
  return useSyncExternalStore(
    onNetwork,
    () => !navigator.onLine,
    () => false,
  );
}
