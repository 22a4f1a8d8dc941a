# One host's system: the recorded units, with every @word@ replaced by what it stands for in this checkout, and the files
# of its stacks. testdata/nixos/README.md explains the words.
#
# A stack that left the host since the recording loses its unit, and its place among the arguments of pistack-reconcile.
# One that came to the host, or whose list of files changed, needs a new recording.
{
  root,
  host,
  units,
}:

let
  settings = builtins.fromTOML (builtins.readFile (root + "/hosts/${host}/host.toml"));
  inherit (import (root + "/hosts/${host}/generated")) pistack;
  stacks = pistack.stacks or { };

  manifest = import (root + "/modules/pistack/checked-manifest.nix") {
    manifest = builtins.toFile "pistack-manifest-unchecked.json" (
      builtins.toJSON (
        import (root + "/modules/manifest.nix") {
          inherit (pistack) host;
          inherit stacks;
          registries = pistack.registries or { };
          secrets = pistack.secrets or { };
        }
      )
    );
    pisec = "${pisec}/bin/pisec";
    inherit (settings) system;
  };

  # As modules/pistack/firewall.nix does.
  firewall = builtins.toFile "pistack-firewall.nft" ''
    table inet pistack
    delete table inet pistack
    table inet pistack {
    ${import (root + "/modules/pistack/firewall-table.nix") { open = settings.open or [ ]; }}
    }
  '';

  # bin/pisec is put there by whoever makes the copy of the repository, built for the virtual Pi.
  pisec = builtins.path {
    name = "pisec";
    path = ./.;
    filter =
      path: _:
      builtins.elem path [
        (toString ./bin)
        (toString ./bin/pisec)
      ];
  };

  # One store path a file, so that a change of the one is no change of the other.
  storePath =
    source:
    "${builtins.path {
      name = "pistack-file";
      path = source;
    }}";
  storePaths = stack: builtins.mapAttrs (_: storePath) stack.files;

  # Changes when a file of the stack does, and the unit with it.
  triggers =
    name:
    "${builtins.toFile "X-Restart-Triggers-pistack-${name}" (
      builtins.concatStringsSep "\n" (builtins.attrValues (storePaths stacks.${name}))
    )}";

  words = {
    "@pisec@" = "${pisec}";
    "@pistack-manifest.json@" = "${manifest}";
    "@pistack-firewall.nft@" = "${firewall}";
    "@images.sh@" = "${root + "/modules/pistack/images.sh"}";
    "@reconcile.sh@" = "${root + "/modules/pistack/reconcile.sh"}";
  }
  // builtins.listToAttrs (
    map (name: {
      name = "@X-Restart-Triggers-pistack-${name}@";
      value = triggers name;
    }) (builtins.attrNames stacks)
  );

  ownUnits = [
    "pistack-firewall.service"
    "pistack-images.service"
    "pistack-reconcile.service"
    "pistack-secrets.service"
    "pistack-shutdown.service"
  ];

  stackOf =
    unit:
    let
      found = builtins.match "pistack-(.+)\\.service" unit;
    in
    if found == null || builtins.elem unit ownUnits then null else builtins.head found;
  isGone = unit: stackOf unit != null && !(stacks ? ${stackOf unit});
  gone = builtins.filter isGone (builtins.attrNames units);

  kept = removeAttrs units gone // {
    "pistack-reconcile.service" = units."pistack-reconcile.service" // {
      text = builtins.replaceStrings (map (unit: " \"${stackOf unit}\"") gone) (map (
        _: ""
      ) gone) units."pistack-reconcile.service".text;
    };
  };

  # The recorded hosts have no private registry: what modules/pistack/stacks.nix changes in the units of
  # stacks where there is one is changed here.
  withRegistries =
    unit: text:
    let
      none = "DOCKER_CONFIG=/var/empty";
      changed = builtins.replaceStrings [ none ] [ "DOCKER_CONFIG=/run/pistack/current/docker" ] text;
    in
    if pistack.registries or { } == { } || stackOf unit == null then
      text
    else if changed == text then
      throw "testdata/nixos/units.json: ${host}: ${unit} has no ${none}"
    else
      changed;

  # A word nobody replaced would fail on the device only, far from its cause.
  fill =
    unit: text:
    let
      filled = builtins.replaceStrings (builtins.attrNames words) (builtins.attrValues words) text;
      left = builtins.match ".*(@[A-Za-z][A-Za-z0-9._-]*@).*" (
        builtins.replaceStrings [ "\n" ] [ " " ] (builtins.unsafeDiscardStringContext filled)
      );
    in
    if left == null then
      filled
    else
      throw "testdata/nixos/units.json: ${host}: ${unit} has ${builtins.head left}, for which testdata/vpi/system/host.nix has no value";

  etcFiles =
    name:
    map (path: {
      name = "pistack/stacks/${name}/${path}";
      value = (storePaths stacks.${name}).${path};
    }) (builtins.attrNames stacks.${name}.files);
in
import ./toplevel.nix {
  name = "nixos-system-${host}";
  inherit (settings) system;
  units = builtins.mapAttrs (
    name: unit: unit // { text = withRegistries name (fill name unit.text); }
  ) kept;
  etc = builtins.listToAttrs (builtins.concatMap etcFiles (builtins.attrNames stacks)) // {
    "pistack/images" = builtins.toFile "pistack-images" (
      import (root + "/modules/pistack/images-list.nix") { inherit stacks; }
    );
  };
}
