{ config, lib, ... }:

let
  cfg = config.pistack;

  reservedNames = [
    "firewall"
    "images"
    "reconcile"
    "secrets"
    "shutdown"
    "undo" # of a deploy, while it is on trial
  ];

  isStackName = name: builtins.match "[a-z0-9][a-z0-9_-]*" name != null;
  isSecretName = name: builtins.match "[A-Za-z_][A-Za-z0-9_]*" name != null;

  # "../" and "../../" lead out of the stack's folder, but not out of /etc/pistack.
  isRelative =
    path:
    lib.all (
      part:
      !lib.elem part [
        ""
        "."
        ".."
      ]
    ) (lib.splitString "/" (lib.removePrefix "../" (lib.removePrefix "../" path)));

  # A file of the stack, or a file in a folder of the stack.
  isIn = files: path: lib.any (file: path == file || lib.hasPrefix "${file}/" path) files;

  check = assertion: message: { inherit assertion message; };

  secretAssertions = lib.mapAttrsToList (
    name: _:
    check (isSecretName name) ''
      pistack.secrets."${name}": the name of a secret is also that of a variable: use letters, digits and underscores, and no digit first.
    ''
  ) cfg.secrets;

  isRegistry =
    name:
    builtins.match "([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:]+])(:[0-9]{1,5})?" name
    != null
    && !lib.elem name [
      "index.docker.io"
      "registry-1.docker.io"
      "registry.hub.docker.com"
    ];

  registryAssertions = lib.concatLists (
    lib.mapAttrsToList (name: secret: [
      (check (isRegistry name) ''
        pistack.registries."${name}": write the host of the registry, or host:port, as in "ghcr.io"; Docker Hub is "docker.io".
      '')
      (check (cfg.secrets ? ${secret}) ''
        pistack.registries."${name}" names ${builtins.toJSON secret}, which pistack.secrets does not have: run `pisec add ${cfg.host} ${secret}` with user:token as its value, then `pistack generate ${cfg.host}`, or set pistack.secrets.<name>.file and .version.
      '')
    ]) cfg.registries
  );

  # What would lie in the place of /etc/pistack/images.
  hidesList = path: path == "../../images" || lib.hasPrefix "../../images/" path;

  stackAssertions =
    name: stack:
    let
      option = "pistack.stacks.${name}";
      files = builtins.attrNames stack.files;
      missing = lib.filter (file: !isIn files file);
      undeclared = lib.filter (secret: !(cfg.secrets ? ${secret}));
      list = lib.concatMapStringsSep ", " builtins.toJSON;
      mustBeDeclared =
        sub: secrets:
        check (undeclared secrets == [ ]) ''
          ${option}.${sub} names ${list (undeclared secrets)}, which pistack.secrets does not have: run `pisec add ${cfg.host} ${lib.head (undeclared secrets)}`, then `pistack generate ${cfg.host}`, or set pistack.secrets.<name>.file and .version.
        '';
      mustBeFiles =
        sub: wanted:
        check (missing wanted == [ ]) ''
          ${option}.${sub} names ${list (missing wanted)}, which ${option}.files does not have: add it there, so that it reaches the device.
        '';
    in
    [
      (check (isStackName name) ''
        ${option}: the name of a stack is also that of a unit and of a folder: use lower-case letters, digits, - and _.
      '')
      (check (!lib.elem name reservedNames) ''
        ${option}: pistack-${name}.service is a unit of pistack itself: give this stack another name.
      '')
      (mustBeFiles "composeFiles" stack.composeFiles)
      (mustBeFiles "envFiles" stack.envFiles)
      (mustBeDeclared "envSecrets" stack.envSecrets)
      (mustBeDeclared "secrets" (builtins.attrNames stack.secrets))
      (check (!lib.any hidesList files) ''
        ${option}.files: ${list (lib.filter hidesList files)} would take the place of /etc/pistack/images, the list of this host's images: give the folder another name.
      '')
      (check (lib.all isRelative files) ''
        ${option}.files: ${
          list (lib.filter (file: !isRelative file) files)
        } must be relative to the stack's folder, without "." and "..", except "../" or "../../" at the beginning.
      '')
    ];

  projects = lib.mapAttrsToList (_: stack: stack.project) cfg.stacks;
in
{
  config = lib.mkIf cfg.enable {
    assertions =
      secretAssertions
      ++ registryAssertions
      ++ lib.concatLists (lib.mapAttrsToList stackAssertions cfg.stacks)
      ++ [
        (check (config.virtualisation.docker.enable || cfg.stacks == { }) ''
          pistack.stacks needs Docker: set virtualisation.docker.enable = true, or import modules/docker.nix.
        '')
        (check (lib.allUnique projects) ''
          pistack.stacks.<name>.project must differ from stack to stack, but this host has ${lib.concatStringsSep ", " (lib.naturalSort projects)}.
        '')
      ];
  };
}
