"""Kinds that a CustomResourceDefinition makes are served as Kubernetes serves them, at once, and until it goes."""

import json
import shutil
import signal
import subprocess
import unittest

from harness import eventually
from harness.api import Api

TIDES = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tides.sea.example.com}
spec:
  group: sea.example.com
  names: {kind: Tide, plural: tides, shortNames: [td], categories: [all, water]}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.buoys, statusReplicasPath: .status.buoys, labelSelectorPath: .status.selector}
    additionalPrinterColumns:
    - {name: Height, type: integer, jsonPath: .spec.height}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Moon, type: string, jsonPath: .spec.moon, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    selectableFields: [{jsonPath: .spec.moon}]
    schema:
      openAPIV3Schema:
        type: object
        description: The sea at one place.
        required: [spec]
        properties:
          spec:
            type: object
            required: [height]
            properties:
              height: {type: integer, minimum: 0, maximum: 20, description: In metres.}
              moon: {type: string, enum: [new, full], default: new}
              place: {type: string, pattern: "^[a-z]+$", maxLength: 10}
              buoys: {type: integer, default: 1}
              level: {x-kubernetes-int-or-string: true}
              seen: {type: string, format: date-time}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: object}}}
              labels: {type: object, additionalProperties: {type: string}}
              ships:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, sails: {type: integer}}}
          status:
            type: object
            properties:
              buoys: {type: integer}
              selector: {type: string}
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}}}
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""

OCEANS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: oceans.sea.example.com}
spec:
  group: sea.example.com
  names: {kind: Ocean, plural: oceans}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {depth: {type: number}}}}
        x-kubernetes-validations:
        - {rule: self.spec.depth > 0.5, message: it would be a puddle}
        - {rule: "!has(oldSelf.spec) || self.spec.depth >= oldSelf.spec.depth", message: water stays}
        - {rule: "quantity('1').isGreaterThan(quantity('0'))"}
"""

TIDE = """
apiVersion: sea.example.com/v1
kind: Tide
metadata: {name: north}
spec: {height: 3, place: delta}
"""

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ALL = "/apis/sea.example.com/v1/namespaces/default/tides"
MERGE = {"content_type": "application/merge-patch+json"}
JSON_PATCH = {"content_type": "application/json-patch+json"}


def tide(name="north", **spec):
    return {"apiVersion": "sea.example.com/v1", "kind": "Tide", "metadata": {"name": name}, "spec": spec or {"height": 3}}


@unittest.skipUnless(shutil.which("kubectl"), "no kubectl on PATH; ./test.sh --peers gets one")
class Definitions(Api):
    def setUp(self):
        super().setUp()
        self.kubectl("apply", "-f", "-", stdin=TIDES)

    def causes(self, answer):
        body = self.assert_status(answer, 422, "Invalid")
        return {cause["field"]: (cause["reason"], cause["message"]) for cause in body["details"]["causes"]}

    def test_a_definition_is_established_and_its_kind_is_found(self):
        self.kubectl("wait", "--for=condition=established", "crd/tides.sea.example.com", "--timeout=5s")
        found = self.ask("GET", DEFINITIONS + "/tides.sea.example.com")[1]
        self.assertEqual(found["status"]["storedVersions"], ["v1"])
        self.assertEqual(found["status"]["acceptedNames"]["singular"], "tide")
        self.assertIn("tides", self.kubectl("api-resources", "--api-group=sea.example.com"))
        self.assertIn("sea.example.com/v1beta1", self.kubectl("api-versions"))
        self.assertIn("In metres", self.kubectl("explain", "tide.spec.height"))
        self.assertIn("The sea at one place", self.kubectl("explain", "td"))
        group = self.ask("GET", "/apis/sea.example.com")[1]
        self.assertEqual(group["preferredVersion"]["version"], "v1")
        names = {each["name"] for each in self.ask("GET", "/apis/sea.example.com/v1")[1]["resources"]}
        self.assertEqual(names, {"tides", "tides/status", "tides/scale"})

    def test_an_object_from_birth_to_death(self):
        for way, word in (([], "created"), ([], "unchanged"), (["--server-side"], "serverside-applied")):
            self.assertIn(word, self.kubectl("apply", *way, "-f", "-", stdin=TIDE))
        self.assertIn("configured", self.kubectl("apply", "-f", "-", stdin=TIDE.replace("3", "5")))
        row = self.kubectl("get", "td", "--no-headers").split()
        self.assertEqual(row[:2], ["north", "5"])
        self.assertIn("MOON", self.kubectl("get", "tides.sea.example.com", "-o", "wide"))
        self.assertIn("north", self.kubectl("get", "water"))
        self.assertIn("north", self.kubectl("get", "all"))
        self.assertIn("Height:  5", self.kubectl("describe", "tide", "north"))
        self.kubectl("patch", "tide", "north", "--type=merge", "-p", '{"spec":{"moon":"full"}}')
        self.kubectl("patch", "tide", "north", "--type=json", "-p", '[{"op":"replace","path":"/spec/height","value":7}]')
        self.kubectl("label", "tide", "north", "a=b")
        self.kubectl("annotate", "tide", "north", "c=d")
        now = json.loads(self.kubectl("get", "tide", "north", "-o", "json"))
        self.assertEqual((now["spec"]["moon"], now["spec"]["height"], now["metadata"]["labels"]), ("full", 7, {"a": "b"}))
        self.assertIn("north", self.kubectl("get", "tides", "--field-selector=spec.moon=full", "-l", "a=b", "-A"))
        self.assertEqual(self.kubectl("get", "tides", "--field-selector=spec.moon=new"), "")
        self.kubectl("scale", "tide/north", "--replicas=4")
        self.assertEqual(self.ask("GET", ALL + "/north")[1]["spec"]["buoys"], 4)
        self.assertIn("deleted", self.kubectl("delete", "tide", "north"))
        self.assertEqual(self.ask("GET", ALL)[1]["items"], [])

    def test_what_is_absent_has_its_default_and_what_is_unknown_goes(self):
        sent = tide(height=1, other=2, free={"a": 1, "known": {"b": 2}}, labels={"x": "y"})
        sent["extra"] = 1
        status, text, headers = self.request("POST", ALL, sent)
        self.assertEqual(status, 201, text)
        spec = json.loads(text)["spec"]
        self.assertEqual(spec, {"height": 1, "free": {"a": 1, "known": {}}, "labels": {"x": "y"}, "moon": "new", "buoys": 1})
        self.assertNotIn("extra", json.loads(text))
        warnings = " ".join(headers.get_all("Warning"))
        for field in ("spec.other", "extra", "spec.free.known.b"):
            self.assertIn(f'unknown field \\"{field}\\"', warnings)
        self.assert_status(self.ask("POST", ALL + "?fieldValidation=Strict", tide("b", height=1, other=2)), 400, "BadRequest",
                           'strict decoding error: unknown field "spec.other"')
        self.assertIn('unknown field "spec.other"', self.kubectl("apply", "-f", "-", stdin=TIDE.replace("place", "other"), fails=True))

    def test_what_is_wrong_is_named_in_kubernetes_words(self):
        causes = self.causes(self.ask("POST", ALL, tide(height="high", moon="half", place="Delta", level=[], seen="now",
                                                        ships=[{"name": "a"}, {"name": "a"}, {"sails": 1}])))
        self.assertEqual(causes["spec.height"], (
            "FieldValueTypeInvalid", 'Invalid value: "string": spec.height in body must be of type integer: "string"'))
        self.assertEqual(causes["spec.moon"], (
            "FieldValueNotSupported", 'Unsupported value: "half": supported values: "new", "full"'))
        self.assertEqual(causes["spec.place"][1], "Invalid value: \"Delta\": spec.place in body should match '^[a-z]+$'")
        self.assertEqual(causes["spec.ships[1]"], ("FieldValueDuplicate", 'Duplicate value: {"name":"a"}'))
        self.assertEqual(causes["spec.ships[2].name"], ("FieldValueRequired", "Required value"))
        self.assertIn("spec.level", causes)
        self.assertIn("date-time", causes["spec.seen"][1])
        self.assertEqual(self.causes(self.ask("POST", ALL, tide(height=21)))["spec.height"][1],
                         "Invalid value: 21: spec.height in body should be less than or equal to 20")
        self.assertEqual(self.causes(self.ask("POST", ALL, tide(place="abcdefghijklm", height=1)))["spec.place"][0],
                         "FieldValueTooLong")
        self.assertEqual(self.causes(self.ask("POST", ALL, {**tide(), "spec": None}))["spec"][0], "FieldValueRequired")
        self.assertEqual(self.ask("GET", ALL)[1]["items"], [])
        self.ask("POST", ALL, tide())
        self.assertIn("spec.height", self.causes(self.ask("PATCH", ALL + "/north", {"spec": {"height": -1}}, **MERGE)))
        self.assertIn("spec.height", self.causes(self.ask("PATCH", ALL + "/north", [
            {"op": "remove", "path": "/spec/height"}], **JSON_PATCH)))
        self.assert_status(self.ask("PATCH", ALL + "/north", {}, content_type="application/strategic-merge-patch+json"), 415,
                           "UnsupportedMediaType")

    def test_an_autoscaler_scales_it(self):
        self.kubectl("apply", "-f", "-", stdin=TIDE)
        self.kubectl("autoscale", "tide", "north", "--min=3", "--max=5", "--cpu-percent=80")
        self.kubectl("annotate", "hpa", "north", "tidegate.dev/scaling-period=1s")
        self.kubectl("wait", "--for=jsonpath={.spec.buoys}=3", "tide/north", "--timeout=20s")
        eventually(lambda: "SuccessfulRescale" in self.kubectl("events", "--for", "hpa/north"), "the event")

        def says(reason, message):
            conditions = json.loads(self.kubectl("get", "hpa", "north", "-o", "json"))["status"]["conditions"]
            active = next((each for each in conditions if each["type"] == "ScalingActive"), {})
            return active.get("reason") == reason and message in active["message"]

        eventually(lambda: says("InvalidSelector", "missing a selector"), "a word about the selector")
        selector = lambda text: self.ask("PATCH", ALL + "/north/status", {"status": {"buoys": 3, "selector": text}}, **MERGE)
        selector("a in (")
        eventually(lambda: says("InvalidSelector", "couldn't convert selector"), "a word about its syntax")
        selector("app=tide")
        eventually(lambda: says("FailedGetResourceMetric", "failed to get cpu utilization"), "a word about pods")
        self.assertRegex(self.kubectl("get", "hpa", "north"), r"Tide/north\s+cpu: <unknown>/80%\s+3\s+5\s+3")
        self.kubectl("patch", "hpa", "north", "--type=merge", "-p", '{"spec":{"scaleTargetRef":{"kind":"Ocean"}}}')
        eventually(lambda: 'no matches for kind "Ocean" in version "sea.example.com/v1"' in self.kubectl(
            "get", "hpa", "north", "-o", "jsonpath={.status.conditions[*].message}"), "a word about the kind")

    def test_status_and_scale_are_subresources(self):
        status, made = self.ask("POST", ALL, {**tide(height=2, buoys=3), "status": {"buoys": 9}})
        self.assertNotIn("status", made)
        _, patched = self.ask("PATCH", ALL + "/north/status", {"spec": {"height": 9}, "status": {
            "buoys": 2, "selector": "a=b", "conditions": [{"type": "Ready", "status": "True"}]}}, **MERGE)
        self.assertEqual((patched["spec"]["height"], patched["metadata"]["generation"], patched["status"]["buoys"]), (2, 1, 2))
        self.kubectl("wait", "--for=condition=Ready", "tide/north", "--timeout=5s")
        self.assertIn("True", self.kubectl("get", "tide", "north"))
        self.assertIn("status.buoys", self.causes(self.ask("PATCH", ALL + "/north/status", {"status": {"buoys": "x"}}, **MERGE)))
        scale = self.ask("GET", ALL + "/north/scale")[1]
        self.assertEqual((scale["spec"], scale["status"]), ({"replicas": 3}, {"replicas": 2, "selector": "a=b"}))
        self.assertEqual(self.ask("PATCH", ALL + "/north/scale", {"spec": {"replicas": 5}}, **MERGE)[0], 200)
        after = self.ask("GET", ALL + "/north")[1]
        self.assertEqual((after["spec"]["buoys"], after["metadata"]["generation"]), (5, 2))

    def test_versions_differ_in_their_name_alone(self):
        self.ask("POST", ALL, tide())
        status, text, headers = self.request("GET", ALL.replace("v1/", "v1beta1/", 1) + "/north")
        self.assertEqual(json.loads(text)["apiVersion"], "sea.example.com/v1beta1")
        self.assertIn("sea.example.com/v1beta1 Tide is deprecated", headers["Warning"])
        old = {**tide("old"), "apiVersion": "sea.example.com/v1beta1"}
        self.assertEqual(self.ask("POST", ALL.replace("v1/", "v1beta1/", 1), old)[0], 201)
        self.assertEqual(self.ask("GET", ALL + "/old")[1]["apiVersion"], "sea.example.com/v1")
        self.assertEqual(self.ask("GET", ALL + "/old")[1]["spec"]["moon"], "new")
        self.assertEqual(self.ask("GET", ALL.replace("v1/", "v1beta1/", 1) + "/old/status")[0], 404)

    def test_appliers_share_an_object_by_its_schema(self):
        def ships(manager, *names, force=False):
            body = {**tide(), "spec": {"height": 3, "ships": [{"name": name, "sails": 1} for name in names]}}
            return self.ask("PATCH", f"{ALL}/north?fieldManager={manager}" + ("&force=true" if force else ""), body,
                            content_type="application/apply-patch+yaml")
        self.assertEqual(ships("one", "a")[0], 201)
        self.assertEqual([ship["name"] for ship in ships("two", "b")[1]["spec"]["ships"]], ["a", "b"])
        body = {**tide(), "spec": {"height": 4}}
        self.assert_status(self.ask("PATCH", ALL + "/north?fieldManager=three", body,
                                    content_type="application/apply-patch+yaml"), 409, "Conflict", ".spec.height")
        self.assertEqual([ship["name"] for ship in ships("one")[1]["spec"]["ships"]], ["b"])

    def test_watches_see_every_change(self):
        watch = subprocess.Popen(["kubectl", "--kubeconfig", str(self.kubeconfig), "get", "tides", "-w", "-o", "name"],
                                 stdout=subprocess.PIPE, text=True)
        try:
            self.ask("POST", ALL, tide("first"))
            self.assertIn("first", watch.stdout.readline())
            # A new definition does not end it.
            self.kubectl("apply", "-f", "-", stdin=TIDES.replace("maximum: 20", "maximum: 30"))
            self.assertEqual(self.ask("POST", ALL, tide("second", height=25))[0], 201)
            self.assertIn("second", watch.stdout.readline())
        finally:
            watch.kill()
            watch.wait()
            watch.stdout.close()

    def test_finalizers_and_owners(self):
        held = tide("held")
        held["metadata"]["finalizers"] = ["sea.example.com/anchor"]
        uid = self.ask("POST", ALL, held)[1]["metadata"]["uid"]
        owned = {"metadata": {"name": "log", "ownerReferences": [
            {"apiVersion": "sea.example.com/v1", "kind": "Tide", "name": "held", "uid": uid}]}}
        self.assertEqual(self.ask("POST", "/api/v1/namespaces/default/configmaps", owned)[0], 201)
        self.ask("DELETE", ALL + "/held")
        self.assertIn("deletionTimestamp", self.ask("GET", ALL + "/held")[1]["metadata"])
        self.ask("PATCH", ALL + "/held", {"metadata": {"finalizers": None}}, **MERGE)
        self.assertEqual(self.ask("GET", ALL + "/held")[0], 404)
        eventually(lambda: self.ask("GET", "/api/v1/namespaces/default/configmaps/log")[0] == 404, "the owned to go")

    def test_a_definition_takes_its_objects_along(self):
        self.kubectl("create", "namespace", "other")
        self.ask("POST", ALL, tide())
        self.ask("POST", ALL.replace("default", "other"), tide())
        held = tide("held")
        held["metadata"]["finalizers"] = ["sea.example.com/anchor"]
        self.ask("POST", ALL, held)
        self.assertEqual(self.ask("DELETE", DEFINITIONS + "/tides.sea.example.com")[0], 200)
        left = self.ask("GET", "/apis/sea.example.com/v1/tides")[1]["items"]
        self.assertEqual([each["metadata"]["name"] for each in left], ["held"])
        now = self.ask("GET", DEFINITIONS + "/tides.sea.example.com")[1]
        self.assertIn("Terminating", {each["type"] for each in now["status"]["conditions"]})
        self.assert_status(self.ask("POST", ALL, tide("late")), 405, "MethodNotAllowed", "terminating")
        self.ask("PATCH", ALL + "/held", {"metadata": {"finalizers": None}}, **MERGE)
        self.assertEqual(self.ask("GET", DEFINITIONS + "/tides.sea.example.com")[0], 404)
        self.assertEqual(self.ask("GET", ALL)[0], 404)
        self.assertEqual(self.ask("GET", "/apis/sea.example.com")[0], 404)
        # And comes again, empty.
        self.kubectl("apply", "-f", "-", stdin=TIDES)
        self.assertEqual(self.ask("GET", ALL)[1]["items"], [])
        self.assertEqual(self.ask("POST", ALL, tide())[0], 201)
        self.kubectl("delete", "crd", "tides.sea.example.com", "--timeout=20s")

    def test_a_namespace_takes_its_custom_objects_along(self):
        self.kubectl("create", "namespace", "other")
        self.ask("POST", ALL.replace("default", "other"), tide())
        self.kubectl("delete", "namespace", "other", "--timeout=20s")
        self.assertEqual(self.ask("GET", "/apis/sea.example.com/v1/tides")[1]["items"], [])

    def test_all_of_it_is_there_after_a_kill(self):
        self.ask("POST", ALL, tide())
        self.up.signal(signal.SIGKILL)
        self.up.wait()
        self.start()
        self.assertEqual(self.ask("GET", ALL + "/north")[1]["spec"]["moon"], "new")
        self.kubectl("wait", "--for=condition=established", "crd/tides.sea.example.com", "--timeout=5s")
        self.assertIn("north", self.kubectl("get", "td"))

    def test_kinds_of_the_whole_cluster_and_their_rules(self):
        done = self.kubectl_all("apply", "-f", "-", stdin=OCEANS)
        self.assertIn("1 rule in x-kubernetes-validations kept and not checked here", done.stderr)
        self.assertIn("x-kubernetes-validations[2]: the function quantity is not understood here", done.stderr)
        conditions = self.ask("GET", DEFINITIONS + "/oceans.sea.example.com")[1]["status"]["conditions"]
        self.assertIn("ValidationRulesChecked", {each["type"] for each in conditions})
        ocean = "apiVersion: sea.example.com/v1\nkind: Ocean\nmetadata: {name: calm}\nspec: {depth: 4.5}\n"
        self.kubectl("apply", "-f", "-", stdin=ocean)
        self.assertEqual(self.kubectl("get", "oceans", "-o", "jsonpath={.items[0].spec.depth}"), "4.5")
        self.assertEqual(self.ask("GET", "/apis/sea.example.com/v1/namespaces/default/oceans")[0], 404)
        self.assertIn('Invalid value: "object": it would be a puddle', self.kubectl("apply", "-f", "-", stdin=ocean.replace("4.5", "0.2"), fails=True))
        self.assertIn("water stays", self.kubectl("apply", "-f", "-", stdin=ocean.replace("4.5", "4"), fails=True))
        self.kubectl("apply", "-f", "-", stdin=ocean.replace("4.5", "5"))
        self.assertIn("no such key: depth evaluating rule", self.kubectl(
            "patch", "ocean", "calm", "--type=merge", "-p", '{"spec":{"depth":null}}', fails=True))
        self.kubectl("patch", "ocean", "calm", "--type=merge", "-p", '{"spec":{"depth":4.5}}', fails=True)
        self.assertEqual(self.kubectl("get", "oceans", "-o", "jsonpath={.items[0].spec.depth}"), "5")
        self.assertIn("calm", self.tidegate("get", "oceans").stdout)

    def test_names_are_served_once(self):
        other = json.loads(self.kubectl("get", "crd", "tides.sea.example.com", "-o", "json"))
        del other["metadata"], other["status"]
        other["metadata"] = {"name": "floods.sea.example.com"}
        other["spec"]["names"] = {"kind": "Flood", "plural": "floods", "shortNames": ["td"]}
        self.assertEqual(self.ask("POST", DEFINITIONS, other)[0], 201)
        flood = self.ask("GET", DEFINITIONS + "/floods.sea.example.com")[1]
        conditions = {each["type"]: each for each in flood["status"]["conditions"]}
        self.assertEqual((conditions["NamesAccepted"]["status"], conditions["Established"]["status"]), ("False", "False"))
        self.assertIn('"td" is already in use', conditions["NamesAccepted"]["message"])
        self.assertEqual(self.ask("GET", ALL.replace("tides", "floods"))[0], 404)
        self.kubectl("delete", "crd", "tides.sea.example.com", "--timeout=20s")
        self.kubectl("wait", "--for=condition=established", "crd/floods.sea.example.com", "--timeout=5s")
        self.assertEqual(self.ask("GET", ALL.replace("tides", "floods"))[0], 200)

    def test_a_definition_that_is_wrong_is_refused(self):
        def definition(**changes):
            made = {"metadata": {"name": "oceans.sea.example.com"}, "spec": {
                "group": "sea.example.com", "names": {"kind": "Ocean", "plural": "oceans"}, "scope": "Cluster",
                "versions": [{"name": "v1", "served": True, "storage": True,
                              "schema": {"openAPIV3Schema": {"type": "object"}}}]}}
            made["spec"].update(changes)
            return made

        def schema(**rules):
            return definition(versions=[{"name": "v1", "served": True, "storage": True, "schema": {
                "openAPIV3Schema": {"type": "object", "properties": {"spec": rules}}}}])

        at = "spec.versions[0].schema.openAPIV3Schema"
        for broken, field in (
                (definition(group="sea"), "spec.group"), (definition(scope="Sea"), "spec.scope"),
                (definition(versions=[]), "spec.versions"),
                (definition(versions=[{"name": "v1", "served": True, "storage": True}]), at),
                (schema(type="text"), at + ".properties[spec].type"), (schema(), at + ".properties[spec].type"),
                (schema(type="string", pattern="("), at + ".properties[spec].pattern"),
                (schema(type="integer", default="x"), at + ".properties[spec].default"),
                (schema(type="array"), at + ".properties[spec].items"),
                (schema(type="object", **{"$ref": "#/x"}), at + ".properties[spec].$ref"),
                (definition(names={"kind": "Ocean", "plural": "Oceans"}), "spec.names.plural")):
            self.assertIn(field, self.causes(self.ask("POST", DEFINITIONS, broken)))
        self.assertEqual(self.ask("GET", DEFINITIONS + "/oceans.sea.example.com")[0], 404)
        for change in ({"scope": "Cluster"}, {"names": {"kind": "Other", "plural": "tides"}}):
            self.assertTrue(self.causes(self.ask("PATCH", DEFINITIONS + "/tides.sea.example.com", {"spec": change}, **MERGE)))


if __name__ == "__main__":
    unittest.main()
