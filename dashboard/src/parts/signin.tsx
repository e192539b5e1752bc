// The sign-in form. What is typed goes into one request and nowhere else.
import { useState } from "preact/hooks";
import { Refused, signIn } from "../api/client";
import { signInNeeded, start } from "../state/store";
import type { SignIn as Way } from "../api/types";

const WORDS: Record<Way, { label: string; hint: string }> = {
  Token: {
    label: "Bearer token",
    hint: "A token of the hub's API server, for example from kubectl create token NAME.",
  },
  Code: {
    label: "Code",
    hint: "The code that kubectl lockflight dashboard has printed in your terminal.",
  },
  Proxy: { label: "", hint: "The proxy in front of this dashboard has to sign you in." },
  Nobody: { label: "", hint: "" },
};

export function SignIn() {
  const needed = signInNeeded.value;
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  if (!needed) return null;
  const words = WORDS[needed.way];
  const submit = async (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const secret = String(new FormData(form).get("secret") ?? "").trim();
    if (!secret) return setProblem(`${words.label} is empty.`);
    setBusy(true);
    try {
      await signIn(needed.way === "Code" ? secret.toUpperCase() : secret);
      form.reset();
      await start();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const remedy = error.problem.remedy ? ` ${error.problem.remedy}.` : "";
      setProblem(`${error.problem.message}.${remedy}`);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="signin" id="main">
      <img src="/assets/icon.svg" alt="" width="44" height="44" />
      <h1>Lockflight</h1>
      {words.label ? (
        <form onSubmit={submit}>
          <label for="secret">{words.label}</label>
          <input id="secret" name="secret" type="password" autocomplete="off" spellcheck={false} autofocus aria-describedby="hint" />
          <button type="submit" class="primary" disabled={busy}>
            Sign in
          </button>
        </form>
      ) : (
        <p>{needed.why}</p>
      )}
      <p id="hint" class="faint">
        {words.hint}
      </p>
      <p role="alert" class="problem">
        {problem}
      </p>
    </main>
  );
}
