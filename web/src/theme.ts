import { createTheme, type MantineColorsTuple } from '@mantine/core';

const petrol: MantineColorsTuple = [
  '#e6f6f7',
  '#d3e9eb',
  '#a6d2d6',
  '#76bac1',
  '#4fa6ae',
  '#3799a3',
  '#29929d',
  '#1a7f89',
  '#1f6f78',
  '#07616a',
];

export const theme = createTheme({
  primaryColor: 'petrol',
  primaryShade: { light: 8, dark: 8 },
  colors: { petrol },
  defaultRadius: 'sm',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace',
  headings: { sizes: { h1: { fontSize: '1.5rem' }, h2: { fontSize: '1.1rem' } } },
  cursorType: 'pointer',
  respectReducedMotion: true,
});
