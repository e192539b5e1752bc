import { render } from "preact";
import { useEffect } from "preact/hooks";
import { Empty, Heading } from "./parts/bits";
import { Help } from "./parts/help";
import { Shell } from "./parts/shell";
import { SignIn } from "./parts/signin";
import { Clusters } from "./screens/clusters";
import { Fleet } from "./screens/fleet";
import { Rollout } from "./screens/rollout";
import { route } from "./state/route";
import { loaded, open, signInNeeded, start } from "./state/store";
import "./state/keys";
import "./state/theme";
import "./style/base.css";
import "./style/parts.css";
import "./style/fleet.css";
import "./style/rollout.css";
import "./style/decide.css";

function Screen() {
  const at = route.value;
  useEffect(() => {
    if (at.screen !== "rollout") open(null, null);
    const name = at.screen === "rollout" ? at.name : at.screen === "clusters" ? "Clusters" : "Fleet";
    document.title = `${name} - Lockflight`;
  }, [at]);
  if (!loaded.value) return <p class="loading">Loading the fleet</p>;
  if (at.screen === "fleet") return <Fleet />;
  if (at.screen === "clusters") return <Clusters />;
  if (at.screen === "rollout") return <Rollout namespace={at.namespace} name={at.name} tab={at.tab} />;
  return (
    <>
      <Heading>Nothing here</Heading>
      <Empty title="There is no such screen.">
        <a href="/">Go to the fleet</a>
      </Empty>
    </>
  );
}

function Page() {
  if (signInNeeded.value) return <SignIn />;
  return (
    <>
      <Shell>
        <Screen />
      </Shell>
      <Help />
    </>
  );
}

const root = document.querySelector("#page");
if (root) render(<Page />, root);
void start();
