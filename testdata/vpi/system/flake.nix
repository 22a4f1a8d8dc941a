{
  # Takes the place of the fleet's flake.nix in a copy of the repository: no inputs, no nixpkgs, and systems small
  # enough for a virtual Pi.
  description = "Stand-in systems for virtual Pis";

  outputs =
    { self }:
    {
      nixosConfigurations = import ./testdata/vpi/system { root = ./.; };
    };
}
