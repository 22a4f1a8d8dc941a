# The NixOS configurations of the fleet: <host> and <host>-sd for every folder of hosts/ that has a
# host.toml.
#
# Of host.toml this reads system, board, roles and open; the rest is for pistack. Nothing here depends on
# the commit: an unrelated edit must leave every host's closure as it is.
{
  nixpkgs,
  nixos-hardware,
  root,
  modules,
}:

let
  inherit (nixpkgs) lib;

  inHosts = builtins.readDir (root + "/hosts");
  isHost =
    name: inHosts.${name} == "directory" && builtins.pathExists (root + "/hosts/${name}/host.toml");
  names = lib.filter isHost (builtins.attrNames inHosts);

  # A file of modules/boards or modules/roles, by the name that host.toml gives.
  moduleOf =
    host: kind: folder: name:
    let
      path = root + "/modules/${folder}/${name}.nix";
      known = map (lib.removeSuffix ".nix") (
        builtins.attrNames (builtins.readDir (root + "/modules/${folder}"))
      );
    in
    if lib.elem name known then
      path
    else
      throw "hosts/${host}/host.toml: unknown ${kind} ${builtins.toJSON name}: modules/${folder} has ${lib.concatStringsSep ", " known}";

  describe =
    name:
    let
      file = "hosts/${name}/host.toml";
      toml = builtins.fromTOML (builtins.readFile (root + "/${file}"));
      required = key: toml.${key} or (throw "${file}: ${key} is missing");
    in
    {
      system = required "system";
      board = moduleOf name "board" "boards" (required "board");
      roles = map (moduleOf name "role" "roles") (toml.roles or [ ]);
      open = toml.open or [ ];
    };

  configure =
    name:
    let
      host = describe name;
    in
    lib.nixosSystem {
      specialArgs = { inherit nixos-hardware; };
      modules =
        modules
        ++ host.roles
        ++ [
          host.board
          (root + "/hosts/${name}")
          {
            networking.hostName = name;
            nixpkgs.hostPlatform = host.system;
            pistack.firewall.open = host.open;
          }
        ];
    };

  image =
    name: system:
    system.extendModules {
      modules = [ (moduleOf name "system" "images" (describe name).system) ];
    };

  systems = lib.genAttrs names configure;
in
{
  inherit systems;

  configurations =
    systems // lib.mapAttrs' (name: system: lib.nameValuePair "${name}-sd" (image name system)) systems;
}
