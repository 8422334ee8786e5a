/** Deployments to make manifests of: one like the reader of text, and as many by chance as a test wants. */
import type { DeploymentDescription, Scaling, UnitDescription } from "../../../src/deployment/Description.ts"
import { dependenciesFirst } from "../../../src/deployment/order.ts"
import { random } from "../../fixtures/random.ts"

export const unit = (name: string, service: string, more: Partial<UnitDescription> = {}): UnitDescription => ({
  name,
  service,
  methods: ["run"],
  placement: "local",
  replicas: 1,
  resources: {},
  traffic: {},
  dependsOn: [],
  external: [],
  environment: {},
  secrets: [],
  expose: false,
  ...more
})

const windows = { scaleUpWindow: 0, scaleDownWindow: 300_000 }

/** Three units that run, one of them on a GPU, one that runs already, and a service that something else serves. */
export const ocr: DeploymentDescription = {
  name: "ocr",
  units: [
    unit("detector", "ocr/TextDetector", {
      resources: { cpu: 0.5, memory: "512 MiB" },
      scaling: { minReplicas: 1, maxReplicas: 4, target: { cpu: 70 }, ...windows }
    }),
    unit("recognizer", "ocr/TextRecognizer", {
      replicas: 2,
      resources: { cpu: 2, memory: "4 GiB", gpu: 1, gpuType: "NVIDIA A100" },
      traffic: { concurrency: 8, queue: 64, timeout: 30_000 },
      environment: { LANGUAGES: "no,yes", ON: "yes", MODEL_STORE: undefined },
      secrets: ["STORE_TOKEN"],
      instanceType: "gpu.large",
      scaling: {
        minReplicas: 2,
        maxReplicas: 8,
        target: { concurrency: 6, queue: 4 },
        ...windows,
        scaleUpWindow: 15_000
      }
    }),
    unit("translator", "text/Translator", { url: "https://translator.example.com" }),
    unit("ocr", "ocr/Ocr", {
      replicas: 2,
      resources: { cpu: 1, memory: "256 MiB" },
      dependsOn: ["detector", "recognizer", "translator"],
      external: ["text/Spelling"],
      expose: true
    })
  ]
}

/** A deployment that a check lets pass, the same for the same seed. No value of a secret is in it but under its name. */
export const anyDeployment = (seed: number): DeploymentDescription => {
  const next = random(seed)
  const below = (count: number) => Math.floor(next() * count)
  const maybe = <A>(make: () => A, chance = 0.5): A | undefined => next() < chance ? make() : undefined
  const pick = <A>(items: ReadonlyArray<A>): A => {
    const item = items[below(items.length)]
    if (item === undefined) throw new RangeError("nothing to pick from")
    return item
  }
  const some = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> => items.filter(() => next() < 0.4)
  const names = Array.from(new Set(Array.from({ length: 1 + below(6) }, () => anyName(below, pick))))
  const scaling = (): Scaling => ({
    minReplicas: 1 + below(3),
    maxReplicas: 3 + below(20),
    target: pick([{ cpu: 33.4 }, { concurrency: 0.5 }, { queue: 7 }, { cpu: 200, queue: 1 }, {
      concurrency: 3,
      queue: 2
    }]),
    scaleUpWindow: below(5_000_000),
    scaleDownWindow: below(5_000_000)
  })
  const units = names.map((name, index): UnitDescription => {
    const cpu = maybe(() => pick([0.1, 0.25, 1, 1.0005, 2.5, 16]))
    const memory = maybe(() => pick(["512 MiB", "1536 MiB", "1 GB", 1, "4 GiB"] as const))
    const url = maybe(() => pick(["https://elsewhere.example.com", "http://10.0.0.1:8000,http://10.0.0.2:8000"]), 0.15)
    const gpu = maybe(() => ({ gpu: 1 + below(4), gpuType: pick(["NVIDIA A100", "H200", "  (odd) name! "]) }), 0.2) ??
      {}
    return unit(name, `${pick(["ocr", "text", "a-b/c"])}/${pick(["Text", "OCR", "v2."])}Model${index}`, {
      replicas: 3,
      resources: { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }), ...gpu },
      traffic: maybe(() => ({ concurrency: 1 + below(9), queue: below(9), timeout: below(200_000) })) ?? {},
      dependsOn: some(names.slice(0, index)),
      external: some(["other/Embedder", "other/Ranker"]),
      environment: Object.fromEntries(some(texts).map((text, place) => [`VALUE_${place}`, maybe(() => text, 0.8)])),
      secrets: some(["STORE_TOKEN", "API_KEY", "EMBEDDER_URL"]),
      expose: next() < 0.4,
      ...(url === undefined ? {} : { url }),
      ...(next() < 0.5 ? { scaling: scaling() } : {}),
      ...(next() < 0.2 ? { image: pick(["registry.example.com:5000/a/b", "c@sha256:00", "d:1.2.3_x"]) } : {}),
      ...(next() < 0.2 ? { instanceType: "m5.large" } : {})
    })
  })
  return { name: anyName(below, pick), units: dependenciesFirst(units) }
}

/** Values that a careless text of YAML, compose or Kubernetes would make something else of. */
export const texts: ReadonlyArray<string> = [
  "yes",
  "12:30",
  "0x10",
  "1e3",
  "~",
  "",
  " a ",
  "$HOME",
  "$(HOME) $$(A) $${B}",
  "# no comment",
  "a: b\n- c",
  "---",
  "{{ x }}",
  "é\u2028\"'\\"
]

const anyName = (below: (count: number) => number, pick: <A>(items: ReadonlyArray<A>) => A): string => {
  const parts = Array.from(
    { length: 1 + below(pick([2, 2, 12])) },
    () => pick(["ocr", "a", "b2", "text", "headless", "y"])
  )
  return parts.join("-").slice(0, 63).replace(/-+$/, "")
}
