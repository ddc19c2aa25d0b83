import { Button, IconButton } from '@/components/button';
import { StatusPill } from '@/features/system/status-pill';
import type { ServerState } from '@/features/system/use-health';
import { ThemeButton } from '@/features/theme/theme-button';
import { ui } from '@/lib/strings/ui';

interface Props {
  state: ServerState;
  /** Null while there is nothing to leave behind. */
  onFresh: (() => void) | null;
  onHistory: () => void;
  onSystem: () => void;
}

export function Header({ state, onFresh, onHistory, onSystem }: Props) {
  return (
    <header className="border-b border-line bg-card">
      <div className="mx-auto flex h-14 max-w-[110rem] items-center gap-1 px-4 sm:gap-2">
        <a href="#prompt" className="sr-only focus:not-sr-only focus:px-2">
          {ui.skip}
        </a>
        <span className="mr-2 flex items-center gap-2 font-bold tracking-tight">
          <svg viewBox="0 0 32 32" className="size-7" aria-hidden="true">
            <rect width="32" height="32" rx="8" className="fill-brand" />
            <path d="M12 9.5v13l10.5-6.5z" className="fill-brand-ink" />
          </svg>
          {ui.name}
        </span>
        <StatusPill state={state} />
        <nav
          aria-label={ui.name}
          className="ml-auto flex items-center gap-0.5 noscript:hidden sm:gap-1"
        >
          {onFresh && (
            <Button icon="plus" kind="quiet" onClick={onFresh} aria-label={ui.history.fresh}>
              <span className="max-sm:hidden">{ui.history.fresh}</span>
            </Button>
          )}
          <IconButton
            icon="history"
            label={ui.history.label}
            data-testid="open-history"
            onClick={onHistory}
          />
          <IconButton
            icon="system"
            label={ui.system.label}
            data-testid="open-system"
            onClick={onSystem}
          />
          <ThemeButton />
        </nav>
      </div>
    </header>
  );
}
