/** How a container asks itself whether it takes calls: its image has Node and nothing else that could ask. */
export const healthCommand = (port: number): ReadonlyArray<string> => [
  "node",
  "--eval",
  `fetch("http://127.0.0.1:${port}/readyz").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`
]
