# nixosConfigurations for virtual Pis: every host of the fleet whose units are recorded in testdata/nixos, as a small
# system that Debian can switch to.
#
# The units' text is what a real evaluation of modules/pistack.nix gave; what depends on this checkout (secrets, files of
# the stacks) is filled in from hosts/<host>/generated, by the same function that the module calls.
{ root }:

let
  recorded = builtins.fromJSON (builtins.readFile (root + "/testdata/nixos/units.json"));

  isHere = host: builtins.pathExists (root + "/hosts/${host}/host.toml");

  nixosSystem = host: {
    name = host;
    value.config.system.build.toplevel = import ./host.nix {
      inherit root host;
      inherit (recorded.hosts.${host}) units;
    };
  };
in
builtins.listToAttrs (map nixosSystem (builtins.filter isHere (builtins.attrNames recorded.hosts)))
