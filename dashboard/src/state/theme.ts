// Light or dark: what the system says, until somebody chooses.
import { effect, signal } from "@preact/signals";

type Theme = "light" | "dark";

const KEY = "lockflight-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function chosen(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null;
  }
}

export const theme = signal<Theme>(chosen() ?? (dark.matches ? "dark" : "light"));

dark.addEventListener("change", () => {
  if (!chosen()) theme.value = dark.matches ? "dark" : "light";
});

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});

export function toggleTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // It lasts as long as the page, then.
  }
}
