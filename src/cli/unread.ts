let endsUnread = false;

/** For commands that only show: whoever reads no more wants no more (`ocl ls | head`). */
export function endWhenUnread(): void {
  endsUnread = true;
}

/**
 * A reader that goes away is no fault. A command that only shows ends then; one that acts finishes what it does,
 * with the status that it comes to, and what it would have said goes nowhere.
 */
export function outliveReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isUnread(error)) throw error;
    if (endsUnread) process.exit(0);
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (!isUnread(error)) throw error;
  });
}

function isUnread({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}
