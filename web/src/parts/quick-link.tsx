/** A link for tables of thousands of rows: the router's own asks about its state, preloading and matching for each. */
import { useRouter } from '@tanstack/react-router';
import type { MouseEvent, ReactNode } from 'react';

interface Props {
  readonly href: string;
  readonly className?: string;
  readonly title?: string;
  readonly children: ReactNode;
}

export function QuickLink({ href, children, ...rest }: Props) {
  const { history } = useRouter();
  const open = (event: MouseEvent) => {
    // another tab, another window, a download: that is the browser's
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.push(href);
  };
  return (
    <a href={href} onClick={open} {...rest}>
      {children}
    </a>
  );
}
