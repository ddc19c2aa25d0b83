'use client';

import { useSyncExternalStore, type ReactNode } from 'react';
import { IconButton } from '@/components/button';
import { Icon } from '@/components/icon';
import type { Health } from '@/lib/api/types';
import { ui } from '@/lib/strings/ui';
import { store, useStored } from '@/lib/use-stored';
import type { ServerState } from './use-health';

interface Props {
  health: Health | undefined;
  state: ServerState;
}

const hiddenName = 'tru.demo-note';

export function Banners({ health, state }: Props) {
  const hidden = useStored(hiddenName, '1') !== null;
  const offline = useOffline();
  if (state === 'down') {
    return <Banner className="sticky">{offline ? ui.offline : ui.down}</Banner>;
  }
  if (!health?.model.demo || hidden) return null;
  return (
    <Banner className="sm:sticky" onHide={() => store(hiddenName, '1')}>
      <span data-testid="demo-note">
        {ui.demo.text} <code className="font-mono font-semibold">{ui.demo.command}</code>
      </span>
    </Banner>
  );
}

interface BannerProps {
  className: string;
  children: ReactNode;
  onHide?: () => void;
}

/** Below all else, so that it moves nothing when it comes. */
function Banner({ className, children, onHide }: BannerProps) {
  return (
    <div
      role="status"
      className={`bottom-0 z-10 flex items-center gap-3 border-t border-line bg-note-wash px-4 py-2
        text-sm text-note ${className}`}
    >
      <Icon name="warn" className="size-4.5" />
      <p className="flex-1">{children}</p>
      {onHide && <IconButton icon="close" label={ui.demo.hide} onClick={onHide} />}
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
