/** The validators of Kubernetes and KEDA, by kind; none are published for the kinds that are not here. */
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1"
import { Deployment } from "kubernetes-models/apps/v1"
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2"
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1"
import { PodDisruptionBudget } from "kubernetes-models/policy/v1"
import { ConfigMap, Namespace, Pod, Service, ServiceAccount } from "kubernetes-models/v1"
import type { Value } from "./objects.ts"

const models = {
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  Namespace,
  NetworkPolicy,
  PodDisruptionBudget,
  ScaledObject,
  Service,
  ServiceAccount
}

/** Kinds that have no validator. */
export const unvalidated: ReadonlyArray<string> = ["HTTPRoute", "Kustomization", "InferenceService"]

/** Throws where an object is not one of its kind. The predictor of an InferenceService is checked as the pod that it is. */
export const validate = (object: Value): void => {
  if (object.kind === "InferenceService") {
    const { annotations, containerConcurrency, labels, maxReplicas, minReplicas, timeout, ...spec } =
      object.spec.predictor
    new Pod({ metadata: { annotations, labels }, spec }).validate()
    for (const count of [containerConcurrency ?? 1, maxReplicas, minReplicas, timeout ?? 1]) {
      if (!Number.isInteger(count) || count < 0) throw new RangeError(`${count} is no count`)
    }
    return
  }
  if (unvalidated.includes(object.kind)) return
  const Model: Value = models[object.kind as keyof typeof models]
  if (Model === undefined || Model.apiVersion !== object.apiVersion) {
    throw new RangeError(`${object.apiVersion} ${object.kind} is not known`)
  }
  new Model(object).validate()
}
