/** Both ends of a hop on one core, so that a figure does not depend on where the system puts them. */
import { spawnSync } from "node:child_process"

/** Keeps this process, and those that it starts from now on, on the first core; does nothing without `taskset`. */
export const pinToOneCore = (): void => {
  spawnSync("taskset", ["-a", "-p", "-c", "0", String(process.pid)], { stdio: "ignore" })
}
