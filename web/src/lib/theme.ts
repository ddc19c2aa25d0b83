import { useEffect } from 'react';
import { themeName as name } from './theme-script';
import { store, useStored } from './use-stored';

export type Theme = 'system' | 'light' | 'dark';

const order: Theme[] = ['system', 'light', 'dark'];

export const nextTheme = (theme: Theme): Theme =>
  order[(order.indexOf(theme) + 1) % order.length] ?? 'system';

function themeOf(stored: string | null): Theme {
  return order.find((theme) => theme === stored) ?? 'system';
}

/** The theme that is chosen, put on the page; also when the system changes its own. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = themeOf(useStored(name));
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const apply = () => show(theme, dark.matches);
    apply();
    dark.addEventListener('change', apply);
    return () => dark.removeEventListener('change', apply);
  }, [theme]);
  return [theme, (next) => store(name, next)];
}

function show(theme: Theme, systemIsDark: boolean): void {
  const system = systemIsDark ? 'dark' : 'light';
  document.documentElement.dataset.theme = theme === 'system' ? system : theme;
}
