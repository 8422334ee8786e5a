/** Manifests for Kubernetes and KServe: each by its validator, and all of them against each other. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { DeploymentDescription, UnitDescription } from "../../../src/deployment/Description.ts"
import * as Generate from "../../../src/deployment/generate/Generate.ts"
import * as Discovery from "../../../src/Discovery.ts"
import { anyDeployment, ocr, texts, unit } from "./descriptions.ts"
import { objectsOf, ofKind, selects, type Value } from "./objects.ts"
import { validate } from "./validators.ts"

const descriptions = [ocr, ...Array.from({ length: 60 }, (_, seed) => anyDeployment(seed))]

const optionsOf = (index: number): Generate.KubernetesOptions => ({
  lookup: index % 2 === 0,
  ...(index % 3 === 0 ? { telemetry: "http://collector.monitoring:4318" } : {}),
  ...(index % 5 === 0 ? { namespace: "models", port: 8000 + index } : {})
})

const generators = { kubernetes: Generate.kubernetes, kserve: Generate.kserve }

const cases = (["kubernetes", "kserve"] as const).flatMap((kind) =>
  descriptions.map((description, index) => {
    const files = generators[kind](description, optionsOf(index))
    return { kind, description, files, objects: objectsOf(files), options: optionsOf(index) }
  })
)

/** The template of the pods of each unit, by the name of its objects. */
const podsOf = (objects: ReadonlyArray<Value>): ReadonlyArray<Value> => [
  ...ofKind(objects, "Deployment").map(({ metadata, spec }) => ({
    name: metadata.name,
    owner: spec,
    ...spec.template
  })),
  ...ofKind(objects, "InferenceService").map(({ metadata, spec: { predictor } }) => ({
    name: metadata.name,
    metadata: { labels: predictor.labels },
    spec: predictor
  }))
]

const containerOf = (pod: Value): Value => pod.spec.containers[0]

const podOf = (objects: ReadonlyArray<Value>, unit: UnitDescription): Value =>
  podsOf(objects).find((pod) => containerOf(pod).command.includes(unit.name))

const here = ({ units }: DeploymentDescription) => units.filter(({ url }) => url === undefined)

const label = /^[a-z]([a-z0-9-]*[a-z0-9])?$/

describe("manifests", () => {
  it("pass the validators, every object of them", () => {
    for (const { objects } of cases) for (const object of objects) assert.doesNotThrow(() => validate(object))
  })

  it("are the same for the same description, in whichever order its records are", () => {
    for (const { description, files, kind, options } of cases) {
      const units = description.units.map((unit) => ({
        ...unit,
        environment: Object.fromEntries(Object.entries(unit.environment).toReversed()),
        secrets: unit.secrets.toReversed()
      }))
      assert.deepStrictEqual(generators[kind]({ ...description, units }, options), files)
    }
  })

  it("have names that are labels of DNS, no two of a kind the same", () => {
    for (const { files, objects } of cases) {
      const named = objects.filter(({ kind }) => kind !== "Kustomization")
      for (const { metadata } of named) {
        assert.match(metadata.name, label)
        assert.isAtMost(metadata.name.length, 63)
        for (const value of Object.values<string>(metadata.labels)) {
          assert.match(value, /^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/)
        }
      }
      const keys = named.map(({ kind, metadata }) => `${kind}/${metadata.name}`)
      assert.strictEqual(new Set(keys).size, keys.length, keys.join())
      assert.strictEqual(new Set(files.map(({ path }) => path)).size, files.length)
      for (const pod of podsOf(objects)) {
        // The hash of a ReplicaSet and that of a pod are put behind the name of a Deployment.
        const workload = "owner" in pod ? pod.name : `${pod.name}-predictor`
        assert.isAtMost(`${workload}-0123456789-01234`.length, 63)
        for (const { ports } of pod.spec.containers) for (const { name } of ports) assert.isAtMost(name.length, 15)
      }
    }
  })

  it("are in the namespace, which is made first and lets no pod have more rights", () => {
    for (const { description, files, objects, options } of cases) {
      const [kustomization, namespace, ...others] = objects
      assert.deepStrictEqual(
        files.slice(1).map(({ path }) => path.slice(path.indexOf("/") + 1)),
        kustomization.resources
      )
      assert.strictEqual(namespace.metadata.name, options.namespace ?? description.name)
      assert.strictEqual(namespace.metadata.labels["pod-security.kubernetes.io/enforce"], "restricted")
      for (const { metadata } of others) assert.strictEqual(metadata.namespace, namespace.metadata.name)
    }
  })

  it("have objects for the units that run here, and none for those with a url", () => {
    for (const { description, objects } of cases) {
      assert.strictEqual(podsOf(objects).length, here(description).length)
      for (const unit of here(description)) assert.isDefined(podOf(objects, unit), unit.name)
    }
  })

  it("have selectors that find the pods of one unit and no others", () => {
    for (const { objects } of cases) {
      const pods = podsOf(objects)
      const found = (selector: Record<string, string>) =>
        pods.filter(({ metadata }) => selects(selector, metadata.labels)).map(({ name }) => name)
      for (const { metadata, spec } of ofKind(objects, "Service")) {
        assert.deepStrictEqual(found(spec.selector), [metadata.labels["app.kubernetes.io/name"]])
      }
      for (const kind of ["Deployment", "PodDisruptionBudget"]) {
        for (const { metadata, spec } of ofKind(objects, kind)) {
          assert.deepStrictEqual(found(spec.selector.matchLabels), [metadata.name])
        }
      }
      for (const { metadata, spec } of ofKind(objects, "NetworkPolicy")) {
        assert.deepStrictEqual(found(spec.podSelector.matchLabels), [metadata.name])
      }
      for (const { name, spec } of pods) {
        for (const { labelSelector } of spec.topologySpreadConstraints) {
          assert.deepStrictEqual(found(labelSelector.matchLabels), [name])
        }
      }
    }
  })

  it("have one port: that of the container, its probes, its Services, its route and the command", () => {
    for (const { objects } of cases) {
      for (const pod of podsOf(objects)) {
        const { command, livenessProbe, ports: [{ containerPort, name }], readinessProbe, startupProbe } = containerOf(
          pod
        )
        assert.strictEqual(command[command.indexOf("--port") + 1], String(containerPort))
        for (const { httpGet } of [livenessProbe, readinessProbe, startupProbe]) assert.strictEqual(httpGet.port, name)
        assert.deepStrictEqual([livenessProbe, readinessProbe, startupProbe].map(({ httpGet }) => httpGet.path), [
          "/livez",
          "/readyz",
          "/readyz"
        ])
        for (
          const { spec } of ofKind(objects, "Service").filter(({ spec }) => selects(spec.selector, pod.metadata.labels))
        ) {
          assert.deepStrictEqual(spec.ports, [{ name, port: containerPort, targetPort: name, protocol: "TCP" }])
        }
        for (const { spec } of ofKind(objects, "NetworkPolicy")) {
          assert.deepStrictEqual(spec.ingress[0].ports, [{ protocol: "TCP", port: containerPort }])
        }
      }
      for (const { spec } of ofKind(objects, "HTTPRoute")) {
        for (const { name, port } of spec.rules[0].backendRefs) {
          const service = ofKind(objects, "Service").find(({ metadata }) => metadata.name === name)
          assert.strictEqual(service.spec.ports[0].port, port)
          assert.notStrictEqual(service.spec.clusterIP, "None")
        }
      }
    }
  })

  it("give each caller the address of what it calls, under the name that it reads first", () => {
    for (const { description, kind, objects, options } of cases) {
      const namespace = objects[1].metadata.name
      for (const unit of here(description)) {
        const { env = [] } = containerOf(podOf(objects, unit))
        const served = description.units.filter(({ name }) => unit.dependsOn.includes(name))
        for (const other of served) {
          const names = Discovery.variables({ key: other.service } as Value)
          const [first, ...more] = env.filter(({ name }: Value) => names.includes(name))
          assert.deepStrictEqual(more, [])
          if (other.url !== undefined) {
            assert.strictEqual(first.value, other.url)
            continue
          }
          const parts = Discovery.parse(first.value)
          assert.isTrue(Result.isSuccess(parts), first.value)
          const { host, port, lookup } = Result.getOrThrow(parts) as Value
          const [name, ...rest] = host.split(".")
          assert.deepStrictEqual(rest, [namespace, "svc", "cluster", "local"])
          const pod = podOf(objects, other)
          if (kind === "kserve" && other.expose) {
            assert.deepStrictEqual([name, port, lookup], [`${pod.name}-predictor`, 80, false])
            continue
          }
          const service = ofKind(objects, "Service").find(({ metadata }) => metadata.name === name)
          assert.strictEqual(service.spec.clusterIP, "None")
          assert.isTrue(selects(service.spec.selector, pod.metadata.labels))
          assert.deepStrictEqual([port, lookup], [service.spec.ports[0].port, options.lookup])
        }
      }
    }
  })

  it("let those call a unit that depend on it, and let it call what it depends on", () => {
    for (const { description, objects } of cases) {
      const policyOf = (unit: UnitDescription) => {
        const { name } = podOf(objects, unit)
        return ofKind(objects, "NetworkPolicy").find(({ metadata }) => metadata.name === name).spec
      }
      const allows = (peers: ReadonlyArray<Value>, unit: UnitDescription) =>
        peers.some(({ podSelector }) =>
          podSelector !== undefined && selects(podSelector.matchLabels, podOf(objects, unit).metadata.labels)
        )
      for (const callee of here(description)) {
        for (const caller of here(description)) {
          const depends = caller.dependsOn.includes(callee.name)
          assert.strictEqual(allows(policyOf(callee).ingress[0].from, caller), depends)
          assert.strictEqual(allows(policyOf(caller).egress.flatMap(({ to }: Value) => to), callee), depends)
        }
      }
    }
  })

  it("read ConfigMaps that are there and have the values, and Secrets that nothing here has", () => {
    for (const { description, objects } of cases) {
      assert.deepStrictEqual(ofKind(objects, "Secret"), [])
      for (const unit of here(description)) {
        const { env = [], envFrom = [] } = containerOf(podOf(objects, unit))
        const maps = envFrom.map(({ configMapRef }: Value) => dataOf(objects, configMapRef.name))
        const values = Object.assign({}, ...maps)
        const names = [...env.map(({ name }: Value) => name), ...Object.keys(values)]
        assert.strictEqual(new Set(names).size, names.length, names.join())
        for (const [name, value] of Object.entries(unit.environment)) {
          const open = env.find((variable: Value) => variable.name === name)?.valueFrom?.configMapKeyRef
          if (value === undefined) assert.deepStrictEqual([open.key, name in dataOf(objects, open.name)], [name, false])
          else assert.strictEqual(values[name], value)
        }
        for (const secret of unit.secrets) {
          const { valueFrom } = env.find(({ name }: Value) => name === secret)
          assert.strictEqual(valueFrom.secretKeyRef.key, secret)
        }
      }
    }
  })

  it("scale what scales by one autoscaler, of which the Deployment leaves the replicas", () => {
    for (const { description, objects } of cases) {
      for (const unit of here(description)) {
        const pod = podOf(objects, unit)
        const workload = "owner" in pod ? pod.name : `${pod.name}-predictor`
        const scalers = [...ofKind(objects, "HorizontalPodAutoscaler"), ...ofKind(objects, "ScaledObject")].filter(
          ({ spec }) => spec.scaleTargetRef.name === workload
        )
        assert.strictEqual(scalers.length, unit.scaling === undefined ? 0 : 1)
        if ("owner" in pod) {
          assert.strictEqual(pod.owner.replicas, unit.scaling === undefined ? unit.replicas : undefined)
        }
        for (const { kind, spec } of scalers) {
          const { cpu, ...others } = unit.scaling?.target ?? {}
          const counted = Object.keys(others).length
          assert.strictEqual(kind, counted === 0 ? "HorizontalPodAutoscaler" : "ScaledObject")
          const behavior = spec.behavior ?? spec.advanced.horizontalPodAutoscalerConfig.behavior
          for (const { stabilizationWindowSeconds } of Object.values<Value>(behavior)) {
            assert.isTrue(Number.isInteger(stabilizationWindowSeconds) && stabilizationWindowSeconds <= 3600)
          }
          if (cpu !== undefined) assert.match(containerOf(pod).resources.requests.cpu, /^\d+m?$/)
          for (const { metadata, type } of spec.triggers ?? []) {
            if (type !== "prometheus") continue
            const pods = new RegExp(`^(?:${/pod=~"([^"]*)"/.exec(metadata.query)?.[1]})$`)
            assert.match(`${workload}-7d9f8c6b5-x2x4z`, pods)
            for (const { name } of podsOf(objects)) {
              if (name !== pod.name) assert.notMatch(`${name}-7d9f8c6b5-x2x4z`, pods)
            }
          }
        }
      }
    }
  })

  it("run as nobody who can do anything, and stop only after callers had time to notice", () => {
    for (const { description, objects } of cases) {
      for (const unit of here(description)) {
        const { spec } = podOf(objects, unit)
        assert.isFalse(spec.automountServiceAccountToken)
        assert.isFalse(spec.enableServiceLinks)
        assert.isTrue(spec.securityContext.runAsNonRoot)
        for (const { securityContext } of [...spec.containers, ...spec.initContainers ?? []]) {
          assert.deepStrictEqual(securityContext, {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] }
          })
        }
        const { seconds } = spec.containers[0].lifecycle.preStop.sleep
        assert.isAtLeast(seconds, 11)
        assert.isAbove(spec.terminationGracePeriodSeconds, seconds + Math.max(20, (unit.traffic.timeout ?? 0) / 1000))
        assert.strictEqual(
          ofKind(objects, "ServiceAccount").filter(({ metadata }) => metadata.name === spec.serviceAccountName).length,
          1
        )
      }
    }
  })
})

const dataOf = (objects: ReadonlyArray<Value>, name: string): Value =>
  ofKind(objects, "ConfigMap").find(({ metadata }) => metadata.name === name).data

describe("the manifest of a unit", () => {
  const single = (more: Partial<UnitDescription>, options: Generate.KubernetesOptions = {}) =>
    objectsOf(Generate.kubernetes({ name: "one", units: [unit("reader", "a/Reader", more)] }, options))
  const container = (more: Partial<UnitDescription>, options: Generate.KubernetesOptions = {}) =>
    containerOf(podsOf(single(more, options))[0])

  it("asks for what the unit asks for, and limits memory and GPUs", () => {
    assert.deepStrictEqual(container({ resources: { cpu: 0.5, memory: "512 MiB", gpu: 2 } }).resources, {
      requests: { cpu: "500m", memory: "512Mi", "nvidia.com/gpu": "2" },
      limits: { memory: "512Mi", "nvidia.com/gpu": "2" }
    })
    assert.isUndefined(container({}).resources)
  })

  it("places a unit on the machines and GPUs that it names", () => {
    const [{ spec }] = podsOf(
      single({ resources: { gpu: 1, gpuType: "NVIDIA A100" }, instanceType: "gpu.large" })
    ) as Value
    assert.deepStrictEqual(spec.nodeSelector, {
      "node.kubernetes.io/instance-type": "gpu.large",
      "nvidia.com/gpu.product": "NVIDIA-A100"
    })
    const [pod] = podsOf(single({ resources: { gpu: 0, gpuType: "NVIDIA A100" } })) as Value
    assert.isUndefined(pod.spec.nodeSelector)
  })

  it("counts calls that run by the unit's own pods, and calls that wait as those that are received and do not run", () => {
    const scaling = {
      minReplicas: 1,
      maxReplicas: 2,
      target: { concurrency: 6, queue: 4 },
      scaleUpWindow: 0,
      scaleDownWindow: 0
    }
    const [{ spec }] = ofKind(single({ service: "a/v1.Reader", scaling }), "ScaledObject") as Value
    const pods = "namespace=\"one\",pod=~\"reader-[a-z0-9]+-[a-z0-9]+\""
    const running = `sum(chorale_calls_in_flight{${pods},callee="a/v1.Reader"})`
    assert.deepStrictEqual(
      spec.triggers.map(({ metadata, metricType }: Value) => [metricType, metadata.query, metadata.threshold]),
      [
        ["AverageValue", running, "6"],
        [
          "AverageValue",
          `clamp_min(sum(chorale_request_in_progress{${pods},route=~"/rpc|/a/v1\\\\.Reader/.+"}) - ${running}, 0)`,
          "4"
        ]
      ]
    )
  })

  it("waits for those it calls only where it looks them up", () => {
    const units = [unit("reader", "a/Reader"), unit("ocr", "a/Ocr", { dependsOn: ["reader"] })]
    const hosts = (lookup: boolean) =>
      podsOf(objectsOf(Generate.kubernetes({ name: "two", units }, { lookup }))).map(({ spec }) =>
        spec.initContainers?.[0].command.slice(3)
      )
    assert.deepStrictEqual(hosts(true), [undefined, ["reader-headless.two.svc.cluster.local"]])
    assert.deepStrictEqual(hosts(false), [undefined, undefined])
  })

  it("starts other pods when a value of its environment has changed", () => {
    const sum = (value: string) =>
      podsOf(single({ environment: { A: value } }))[0].metadata.annotations["checksum/config"]
    assert.strictEqual(sum("1"), sum("1"))
    assert.notStrictEqual(sum("1"), sum("2"))
  })

  it("keeps a value from being read as the name of another variable", () => {
    const url = "http://h/$(HOME)"
    const units = [unit("reader", "a/Reader", { url }), unit("ocr", "a/Ocr", { dependsOn: ["reader"] })]
    const [pod] = podsOf(objectsOf(Generate.kubernetes({ name: "two", units })))
    assert.deepStrictEqual(containerOf(pod).env, [{ name: "READER_URL", value: "http://h/$$(HOME)" }])
  })

  it("leads the calls of its service to it, and neither metrics nor health", () => {
    const paths = (objects: ReadonlyArray<Value>) =>
      ofKind(objects, "HTTPRoute").map(({ spec }) => spec.rules[0].matches.map(({ path }: Value) => path.value))
    assert.deepStrictEqual(paths(single({ expose: true })), [["/a/Reader", "/rpc", "/openapi.json", "/docs"]])
    const units = [unit("reader", "a/Reader", { expose: true }), unit("ocr", "a/Ocr", { expose: true })]
    assert.deepStrictEqual(paths(objectsOf(Generate.kubernetes({ name: "two", units }))), [["/a/Reader"], ["/a/Ocr"]])
  })

  it("lets the unit call what is outside, at the ports of what it is told, and not the address of credentials", () => {
    const egress = (more: Partial<UnitDescription>) => ofKind(single(more), "NetworkPolicy")[0].spec.egress.slice(1)
    assert.deepStrictEqual(egress({}), [])
    const told = egress({ external: ["b/Other"], environment: { OTHER_URL: "http://other:8123" } })
    assert.deepStrictEqual(told[0].ports, [{ protocol: "TCP", port: 8123 }])
    assert.include(told[0].to[0].ipBlock.except, "169.254.0.0/16")
    assert.isUndefined(egress({ external: ["b/Other"] })[0].ports)
  })

  it("sends what it measures where it is told, but for what the unit says itself", () => {
    const telemetry = "http://collector:4318"
    const env = (more: Partial<UnitDescription>) =>
      Object.fromEntries(container(more, { telemetry }).env.map(({ name, value }: Value) => [name, value]))
    assert.deepStrictEqual(env({}), {
      OTEL_EXPORTER_OTLP_ENDPOINT: telemetry,
      OTEL_LOGS_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "otlp",
      OTEL_SERVICE_NAME: "one-reader",
      OTEL_TRACES_EXPORTER: "otlp"
    })
    assert.notProperty(env({ environment: { OTEL_LOGS_EXPORTER: "none" } }), "OTEL_LOGS_EXPORTER")
  })

  it("has every text of its environment as it is", () => {
    const environment = Object.fromEntries(texts.map((text, index) => [`VALUE_${index}`, text]))
    assert.deepStrictEqual(ofKind(single({ environment }), "ConfigMap")[0].data, environment)
  })
})

describe("the manifest of an exposed unit for KServe", () => {
  it("is a predictor with a container of its own that speaks version 2 of the protocol", () => {
    const [service] = ofKind(objectsOf(Generate.kserve(ocr)), "InferenceService") as Value
    const [container] = service.spec.predictor.containers
    assert.strictEqual(service.apiVersion, "serving.kserve.io/v1beta1")
    assert.strictEqual(service.metadata.annotations["serving.kserve.io/deploymentMode"], "RawDeployment")
    assert.strictEqual(container.name, "kserve-container")
    assert.deepStrictEqual(container.env[0], { name: "PROTOCOL", value: "v2" })
    assert.strictEqual(container.ports[0].containerPort, 8080)
    assert.deepStrictEqual([service.spec.predictor.minReplicas, service.spec.predictor.maxReplicas], [2, 2])
  })

  it("leaves the scaling to the autoscaler that is made beside it", () => {
    const scaling = { minReplicas: 2, maxReplicas: 5, target: { cpu: 50 }, scaleUpWindow: 0, scaleDownWindow: 0 }
    const objects = objectsOf(
      Generate.kserve({ name: "one", units: [unit("reader", "a/Reader", { expose: true, scaling })] })
    )
    const [service] = ofKind(objects, "InferenceService") as Value
    assert.strictEqual(service.metadata.annotations["serving.kserve.io/autoscalerClass"], "external")
    assert.strictEqual(ofKind(objects, "HorizontalPodAutoscaler")[0].spec.scaleTargetRef.name, "reader-predictor")
  })
})
