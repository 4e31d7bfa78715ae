"""Goal: the manifests render, fit the schemas of Kubernetes, keep to the restricted level of Pod
Security, and agree with the configuration that they carry.

Needs kustomize on the PATH, and the Python packages kubernetes-validate and PyYAML;
SLUICE_BIN_DIR says where sluice is.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

import kubernetes_validate
import yaml

from processes import ROOT

BINARIES = pathlib.Path(os.environ.get("SLUICE_BIN_DIR", ROOT / "build/release/bin")).resolve()
OVERLAYS = ROOT / "deploy/kubernetes/overlays"
SCHEMAS = "1.32"
# Kinds of the Prometheus operator: no schema of Kubernetes has them.
CUSTOM = {"ServiceMonitor", "PodMonitor"}
SECRETS = ("synerise_api_key", "admin_token", "checkout_key")


def render(overlay):
    done = subprocess.run(["kustomize", "build", OVERLAYS / overlay], capture_output=True, text=True,
                          check=True)
    return list(yaml.safe_load_all(done.stdout))


def pods_of(documents):
    """(name, pod's specification, its template's labels) of whatever makes pods."""
    for document in documents:
        template = document.get("spec", {}).get("template")
        if template:
            yield document["metadata"]["name"], template["spec"], template["metadata"]["labels"]


def containers_of(pod):
    return pod.get("initContainers", []) + pod["containers"]


def seconds(duration):
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.documents = {name: render(name) for name in ("gateway", "sidecar", "sidecar-socket")}

    def of_kind(self, overlay, kind):
        found = [document for document in self.documents[overlay] if document["kind"] == kind]
        self.assertTrue(found, kind)
        return found

    def pods(self):
        return [pod for documents in self.documents.values() for pod in pods_of(documents)]

    def test_all_fit_the_schemas(self):
        checked = 0
        for documents in self.documents.values():
            for document in documents:
                if document["kind"] not in CUSTOM:
                    with self.subTest(document["kind"]):
                        kubernetes_validate.validate(document, SCHEMAS, strict=True)
                        checked += 1
        self.assertGreater(checked, 12)

    def test_the_schemas_find_a_misspelt_key(self):
        stateful_set = self.of_kind("gateway", "StatefulSet")[0]
        wrong = {**stateful_set, "spec": {**stateful_set["spec"], "serviceNam": "x"}}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, SCHEMAS, strict=True)

    def test_the_examples_beside_them_fit_too(self):
        text = (OVERLAYS / "gateway/secrets.example.yaml").read_text(encoding="utf-8")
        secret = yaml.safe_load(text)
        kubernetes_validate.validate(secret, SCHEMAS, strict=True)
        self.assertEqual(set(secret["stringData"]), set(SECRETS))

    def test_pods_keep_to_the_restricted_level(self):
        self.assertEqual(len(self.pods()), 7)
        for name, pod, _ in self.pods():
            with self.subTest(name):
                self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
                self.assertFalse(pod["automountServiceAccountToken"])
                for container in containers_of(pod):
                    context = container["securityContext"]
                    self.assertFalse(context["allowPrivilegeEscalation"])
                    self.assertTrue(context["readOnlyRootFilesystem"])
                    self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                for volume in pod["volumes"]:
                    self.assertTrue({"configMap", "secret", "emptyDir"} & volume.keys())

    def test_sidecars_are_native_but_where_they_say_so(self):
        for name, pod, _ in [*pods_of(self.documents["sidecar"]),
                             *pods_of(self.documents["sidecar-socket"])]:
            with self.subTest(name):
                native = [container["restartPolicy"] for container in pod.get("initContainers", [])]
                self.assertEqual(native, [] if name.endswith("classic") else ["Always"])

    def test_a_pod_may_take_as_long_to_end_as_it_drains(self):
        maps = {document["metadata"]["name"]: yaml.safe_load(document["data"]["sluice.yaml"])
                for documents in self.documents.values() for document in documents
                if document["kind"] == "ConfigMap"}
        for name, pod, _ in self.pods():
            with self.subTest(name):
                mounted = [volume["configMap"]["name"] for volume in pod["volumes"]
                           if "configMap" in volume]
                self.assertEqual(len(mounted), 1)
                hook = max(container.get("lifecycle", {}).get("preStop", {})
                           .get("sleep", {}).get("seconds", 0) for container in containers_of(pod))
                drain = seconds(maps[mounted[0]]["drain_timeout"])
                self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], hook + 2 + drain + 5)
                buffer = maps[mounted[0]]["buffer"]
                if any(volume["name"] == mount["name"] and "emptyDir" in volume
                       for volume in pod["volumes"] for container in containers_of(pod)
                       for mount in container.get("volumeMounts", [])
                       if buffer["path"].startswith(mount["mountPath"])):
                    self.assertEqual(seconds(buffer["drain_timeout"]), drain,
                                     "its disk goes with the pod")

    def test_the_back_end_reaches_the_socket(self):
        pods = {name: pod for name, pod, _ in pods_of(self.documents["sidecar-socket"])}
        containers = {container["name"]: container for container in containers_of(pods["shop"])}
        maps = [document for document in self.of_kind("sidecar-socket", "ConfigMap")
                if document["metadata"]["name"].startswith("sluice-sidecar")]
        self.assertEqual(len(maps), 1)
        listen = yaml.safe_load(maps[0]["data"]["sluice.yaml"])["ingest"]["listen"]
        socket = next(variable["value"] for variable in containers["shop"]["env"]
                      if variable["name"] == "SYNERISE_SOCKET")
        self.assertEqual(listen, "unix:" + socket)
        mounts = [mount for container in containers.values() for mount in container["volumeMounts"]
                  if mount["mountPath"] == str(pathlib.PurePath(socket).parent)]
        self.assertEqual(len(mounts), 2)
        self.assertEqual(mounts[0], mounts[1])
        self.assertFalse(mounts[0].get("readOnly", False))
        volume = next(volume for volume in pods["shop"]["volumes"]
                      if volume["name"] == mounts[0]["name"])
        self.assertIn("emptyDir", volume)
        self.assertIn("fsGroup", pods["shop"]["securityContext"])

    def test_what_selects_pods_finds_them(self):
        labels = next(pods_of(self.documents["gateway"]))[2]
        selectors = [service["spec"]["selector"] for service in self.of_kind("gateway", "Service")]
        selectors += [self.of_kind("gateway", kind)[0]["spec"]["selector"]["matchLabels"]
                      for kind in ("StatefulSet", "PodDisruptionBudget")]
        selectors.append(self.of_kind("gateway", "NetworkPolicy")[0]["spec"]["podSelector"]
                         ["matchLabels"])
        for selector in selectors:
            self.assertTrue(selector)
            self.assertLessEqual(selector.items(), labels.items())
        services = {service["metadata"]["name"] for service in self.of_kind("gateway", "Service")}
        self.assertIn(self.of_kind("gateway", "StatefulSet")[0]["spec"]["serviceName"], services)
        monitor = self.of_kind("gateway", "ServiceMonitor")[0]["spec"]["selector"]["matchLabels"]
        chosen = [service["metadata"]["name"] for service in self.of_kind("gateway", "Service")
                  if monitor.items() <= service["metadata"]["labels"].items()]
        self.assertEqual(chosen, ["sluice-pods"])

    def test_sluice_takes_the_configurations(self):
        for file in ("gateway/sluice.yaml", "sidecar/sluice.yaml", "sidecar/sluice-job.yaml",
                     "sidecar-socket/sluice.yaml"):
            with self.subTest(file), tempfile.TemporaryDirectory() as folder:
                for secret in SECRETS:
                    pathlib.Path(folder, secret).write_text(secret)
                text = (OVERLAYS / file).read_text(encoding="utf-8")
                config = pathlib.Path(folder, "sluice.yaml")
                config.write_text(text.replace("/run/secrets/sluice", folder))
                done = subprocess.run([BINARIES / "sluice", "check", "--config", config],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
