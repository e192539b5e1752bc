// Numbers as people read them; evidence in the hub's own words.

/** Beyond a million and below a hundredth nobody counts. */
const MOST = 1e6;
const LEAST = 0.01;

/** Below this, zeros would have to be counted. */
const SMALL = 1e-4;

export function figure(value: number): string {
  if (value !== 0 && Math.abs(value) < SMALL) return value.toExponential(2);
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

export const count = (value: number): string => value.toLocaleString("en", { maximumFractionDigits: 0 });

/** Evidence from its logarithm: how many times likelier the data are if it is true. */
export function times(ln: number | null | undefined): string {
  if (ln == null) return "none";
  const value = Math.exp(ln);
  if (value > MOST) return "over a million";
  if (value < LEAST) return "less than 0.01";
  return figure(value);
}
