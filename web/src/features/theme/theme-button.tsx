'use client';

import { IconButton } from '@/components/button';
import type { IconName } from '@/components/icon';
import { ui } from '@/lib/strings/ui';
import { nextTheme, useTheme, type Theme } from '@/lib/theme';

const icons: Record<Theme, IconName> = { system: 'auto', light: 'sun', dark: 'moon' };

export function ThemeButton() {
  const [theme, setTheme] = useTheme();
  return (
    <IconButton
      icon={icons[theme]}
      label={ui.theme[theme]}
      data-testid="theme"
      onClick={() => setTheme(nextTheme(theme))}
    />
  );
}
